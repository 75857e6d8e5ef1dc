//! Streams of a circle: what this device offers to whom, and whether a flow may be opened.

use std::collections::{BTreeMap, BTreeSet};

use streams::{Class, Grants, Offer, Offered, Reason, Rules, Target};
use tunnel::{LinkId, Stream};
use vault::{CircleState as Standing, StoreError, Vault};
use wire::{CircleId, DeviceId, Flow, MemberId, Word, limits};

use super::{Access, CircleState, Ctx, Effect, RequestError, requests::unknown};
use crate::{
    api::{self, ApiError, ErrorKind},
    streams::{Command, Stand},
};

/// What is kept in memory of a circle's streams.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    offered: Offered,
    /// Those of them that are for one flow, which a program waits for; they are not kept.
    once: BTreeSet<Word>,
    /// Whether something changed that says which flows there may be.
    pub(super) stale: bool,
}

impl CircleState {
    /// Reads what is kept of streams from the vault.
    pub(crate) fn restore_streams(&mut self, vault: &Vault) -> Result<(), StoreError> {
        if let Some(bytes) = vault.setting(&self.streams_setting())? {
            self.streams.offered = wire::decode(&bytes, Offered::MOST).unwrap_or_else(|error| {
                tracing::error!(%error, "what is kept of streams cannot be read: they are switched off");
                Offered::CLOSED
            });
        }
        self.streams.stale = true;
        Ok(())
    }

    /// Ends the turn for streams: what may be no more, ends.
    pub(super) fn settle_streams(&mut self, ctx: &mut Ctx<'_, '_>) {
        if std::mem::take(&mut self.streams.stale) {
            ctx.effects
                .push(Effect::Streams(Command::Stand { circle: self.id, stand: self.stand_of_streams() }));
        }
    }

    fn stand_of_streams(&self) -> Stand {
        if self.standing != Standing::Member {
            return Stand::default();
        }
        let links: BTreeMap<_, _> = self
            .links
            .iter()
            .filter_map(|(device, link)| Some((*device, (link.id, self.live_member(device)?))))
            .collect();
        let granted = |offer: &Offer| {
            let admitted = |device: &&DeviceId| self.is_granted(offer, device);
            links.keys().filter(admitted).copied().collect::<BTreeSet<_>>()
        };
        let Offered { rules, offers } = &self.streams.offered;
        let offers = offers.iter().filter(|offer| rules.check(offer.label.as_ref()).is_ok());
        let offers = offers.map(|offer| (offer.name.clone(), granted(offer))).collect();
        Stand { rules: rules.clone(), links, offers }
    }

    fn is_granted(&self, offer: &Offer, device: &DeviceId) -> bool {
        let live = self.charter.roster().device(device);
        live.is_some_and(|device| offer.grants.admit(&device.member, device.role))
    }

    /// Decides about a flow that a device opens.
    pub(super) fn handle_flow(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        (device, link): (DeviceId, LinkId),
        flow: Flow,
        stream: Stream,
    ) {
        // What is joined is joined under what holds now.
        self.settle_streams(ctx);
        // A stream that is dropped ends without an answer.
        if self.standing != Standing::Member || self.links.get(&device).is_none_or(|up| up.id != link) {
            return;
        }
        let Some(live) = self.charter.roster().device(&device) else { return };
        let offered = &self.streams.offered;
        let offer = offered.named(&flow.offer).ok_or(Reason::Unknown);
        let admitted = offer.and_then(|offer| {
            offer.admit(&flow, &offered.rules, &live.member, live.role).map(|()| offer.clone())
        });
        let circle = self.id;
        ctx.effects.push(Effect::Streams(match admitted {
            Ok(offer) => {
                let once = self.streams.once.contains(&offer.name);
                Command::Serve { circle, device, flow, offer, once, stream }
            }
            Err(reason) => Command::Refuse { circle, device, flow, reason, stream },
        }));
    }

    /// Changes what is offered, all of it or nothing.
    fn change_streams<T>(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        change: impl FnOnce(&mut Offered) -> Result<T, ApiError>,
    ) -> Result<T, RequestError> {
        let mut offered = self.streams.offered.clone();
        let outcome = change(&mut offered)?;
        let mut stays = offered.clone();
        stays.offers.retain(|offer| !self.streams.once.contains(&offer.name));
        let kept = wire::encode(&stays);
        if kept.len() > Offered::MOST {
            return Err(ApiError::new(ErrorKind::Config, "the offers of this device are too long").into());
        }
        ctx.tx.set_setting(&self.streams_setting(), &kept)?;
        self.streams.offered = offered;
        self.streams.stale = true;
        Ok(outcome)
    }

    fn streams_setting(&self) -> String {
        format!("streams/offers/{}", self.id)
    }

    fn offer_view(&self, offer: &Offer) -> api::StreamOffer {
        let name = |member: &MemberId| {
            let known = self.charter.roster().members().get(member);
            known.map_or_else(|| "somebody who was removed".to_owned(), |member| member.name.to_string())
        };
        api::StreamOffer {
            name: offer.name.to_string(),
            target: match offer.target.clone() {
                Target::Tcp(to) => api::StreamTarget::Tcp(to),
                Target::Udp(to) => api::StreamTarget::Udp(to),
                Target::Unix(to) => api::StreamTarget::Unix(to),
                Target::Exec(to) => api::StreamTarget::Exec(to),
            },
            label: offer.label.as_ref().map(ToString::to_string),
            class: match offer.class {
                Class::Voice => api::StreamClass::Voice,
                Class::Message => api::StreamClass::Message,
                Class::File => api::StreamClass::File,
                Class::Bulk => api::StreamClass::Bulk,
            },
            rate: offer.rate,
            flows: offer.flows,
            members: offer.grants.members.iter().map(|id| api::Granted { id: *id, name: name(id) }).collect(),
            role: offer.grants.role.map(Into::into),
        }
    }

    fn members_called(&self, called: &[String]) -> Result<BTreeSet<MemberId>, ApiError> {
        if called.len() > limits::GROUP {
            let message = format!("at most {} members at a time", limits::GROUP);
            return Err(ApiError::new(ErrorKind::User, message));
        }
        called.iter().map(|called| self.find_member(called)).collect()
    }
}

impl Access<'_, '_> {
    /// Shows what is kept of streams.
    pub(crate) fn stream_offers(
        &mut self,
        id: CircleId,
    ) -> Result<(api::StreamPolicy, Vec<api::StreamOffer>), RequestError> {
        self.with(id, |_, circle| {
            let offers = circle.streams.offered.offers.iter().map(|offer| circle.offer_view(offer)).collect();
            Ok((policy_view(&circle.streams.offered.rules), offers))
        })
    }

    /// Offers a stream.
    pub(crate) fn offer_stream(
        &mut self,
        id: CircleId,
        new: api::NewStreamOffer,
    ) -> Result<api::StreamOffer, RequestError> {
        self.as_member(id, |access, circle| {
            let name = word("name", &new.name)?;
            if new.once && !matches!(new.target, api::StreamTarget::Unix(_)) {
                return Err(
                    ApiError::new(ErrorKind::User, "only a Unix socket is offered for one flow").into()
                );
            }
            let flows = if new.once { 1 } else { new.flows.unwrap_or(FLOWS) };
            if flows == 0 || usize::try_from(flows).map_or(true, |flows| flows > limits::FLOWS) {
                let message = format!("an offer has 1 to {} flows at a time", limits::FLOWS);
                return Err(ApiError::new(ErrorKind::User, message).into());
            }
            let grants =
                Grants { members: circle.members_called(&new.members)?, role: new.role.map(Into::into) };
            let label = new.label.as_deref().map(|label| word("label", label)).transpose()?;
            let offer = Offer {
                name,
                target: target(new.target)?,
                label,
                class: match new.class {
                    api::StreamClass::Voice => Class::Voice,
                    api::StreamClass::Message => Class::Message,
                    api::StreamClass::File => Class::File,
                    api::StreamClass::Bulk => Class::Bulk,
                },
                rate: new.rate,
                flows,
                grants,
            };
            let shown = circle.offer_view(&offer);
            let name = offer.name.clone();
            let marked = new.once && circle.streams.once.insert(name.clone());
            let changed = circle.change_streams(&mut access.ctx, |offered| {
                if offered.named(&offer.name).is_some() {
                    return Err(ApiError::new(
                        ErrorKind::Conflict,
                        "a stream of that name is offered already",
                    )
                    .hint("withdraw it first with \"hexode stream withdraw\""));
                }
                if offered.offers.len() >= limits::OFFERS {
                    let message = format!("a device offers at most {} streams in a circle", limits::OFFERS);
                    return Err(ApiError::new(ErrorKind::Conflict, message));
                }
                let place = offered.offers.partition_point(|other| other.name < offer.name);
                offered.offers.insert(place, offer);
                Ok(())
            });
            if changed.is_err() && marked {
                circle.streams.once.remove(&name);
            }
            changed.map(|()| shown)
        })
    }

    /// Offers a stream no more.
    pub(crate) fn withdraw_stream(&mut self, id: CircleId, name: &str) -> Result<(), RequestError> {
        self.with(id, |access, circle| {
            let name = word("name", name)?;
            circle.change_streams(&mut access.ctx, |offered| {
                let place =
                    offered.offers.iter().position(|offer| offer.name == name).ok_or_else(no_offer)?;
                offered.offers.remove(place);
                Ok(())
            })?;
            circle.streams.once.remove(&name);
            Ok(())
        })
    }

    /// Grants an offered stream to more, or takes it from some.
    pub(crate) fn grant_stream(
        &mut self,
        id: CircleId,
        name: &str,
        grant: &api::StreamGrant,
        more: bool,
    ) -> Result<api::StreamOffer, RequestError> {
        self.as_member(id, |access, circle| {
            let name = word("name", name)?;
            let members = circle.members_called(&grant.members)?;
            let changed = circle.change_streams(&mut access.ctx, |offered| {
                let mut offers = offered.offers.iter_mut();
                let offer = offers.find(|offer| offer.name == name).ok_or_else(no_offer)?;
                match more {
                    true => {
                        offer.grants.members.extend(members);
                        offer.grants.role = grant.role.map(Into::into).or(offer.grants.role);
                    }
                    false => {
                        offer.grants.members.retain(|member| !members.contains(member));
                        if grant.role.is_some() {
                            offer.grants.role = None;
                        }
                    }
                }
                if offer.grants.members.len() > limits::GROUP {
                    let message = format!("a stream is granted to at most {} members by name", limits::GROUP);
                    return Err(ApiError::new(ErrorKind::User, message).hint("grant it to a role"));
                }
                Ok(offer.clone())
            })?;
            Ok(circle.offer_view(&changed))
        })
    }

    /// Sets this device's rules.
    pub(crate) fn set_stream_policy(
        &mut self,
        id: CircleId,
        policy: &api::StreamPolicy,
    ) -> Result<api::StreamPolicy, RequestError> {
        self.with(id, |access, circle| {
            if policy.labels.len() > limits::OFFERS {
                return Err(ApiError::new(ErrorKind::User, "too many labels").into());
            }
            let labels = policy.labels.iter().map(|label| word("label", label)).collect::<Result<_, _>>()?;
            let rules = Rules { on: policy.on, labels };
            circle.change_streams(&mut access.ctx, |offered| {
                offered.rules = rules;
                Ok(policy_view(&offered.rules))
            })
        })
    }

    /// Finds what is meant by `MEMBER/NAME` or `MEMBER/DEVICE/NAME`, if there may be such a flow by this device's own rules.
    pub(crate) fn stream_named(
        &mut self,
        id: CircleId,
        called: &str,
        label: Option<&str>,
    ) -> Result<Named, RequestError> {
        self.as_member(id, |_, circle| {
            let said = || {
                ApiError::new(ErrorKind::User, "that names no stream")
                    .hint("say MEMBER/NAME, or MEMBER/DEVICE/NAME if he has several devices")
            };
            let (whose, name) = called.rsplit_once('/').ok_or_else(said)?;
            let offer = word("name", name)?;
            let label = label.map(|label| word("label", label)).transpose()?;
            circle.streams.offered.rules.check(label.as_ref()).map_err(|reason| match reason {
                Reason::Off => {
                    ApiError::new(ErrorKind::NotAllowed, "streams are switched off on this device")
                        .hint("switch them on with \"hexode stream policy --on\"")
                }
                _ => ApiError::new(ErrorKind::NotAllowed, "this device allows other labels only")
                    .hint("\"hexode stream policy\" lists them"),
            })?;
            let (member, device) = match (circle.find_member(whose), whose.rsplit_once('/')) {
                (Ok(member), _) => (member, None),
                (Err(error), None) => return Err(error.into()),
                (Err(_), Some((whose, device))) => {
                    let member = circle.find_member(whose)?;
                    let devices = circle.charter.roster().devices();
                    let meant = devices.values().find(|known| {
                        known.member == member
                            && (known.id.to_string() == device
                                || known.name.as_str().eq_ignore_ascii_case(device))
                    });
                    (member, Some(meant.ok_or_else(|| unknown("device"))?.id))
                }
            };
            let name = circle.charter.roster().members().get(&member);
            let member_name = name.map(|member| member.name.to_string()).unwrap_or_default();
            Ok(Named { member, member_name, device, offer, label })
        })
    }
}

/// A stream that is meant.
pub(crate) struct Named {
    pub(crate) member: MemberId,
    pub(crate) member_name: String,
    pub(crate) device: Option<DeviceId>,
    pub(crate) offer: Word,
    pub(crate) label: Option<Word>,
}

fn policy_view(rules: &Rules) -> api::StreamPolicy {
    api::StreamPolicy { on: rules.on, labels: rules.labels.iter().map(ToString::to_string).collect() }
}

pub(crate) fn word(what: &str, text: &str) -> Result<Word, ApiError> {
    text.parse().map_err(|error| ApiError::new(ErrorKind::User, format!("{what}: {error}")))
}

fn target(target: api::StreamTarget) -> Result<Target, ApiError> {
    let (text, made): (String, fn(String) -> Target) = match target {
        api::StreamTarget::Tcp(to) => (host_and_port(to)?, Target::Tcp),
        api::StreamTarget::Udp(to) => (host_and_port(to)?, Target::Udp),
        api::StreamTarget::Unix(path) if !path.starts_with('/') => {
            return Err(ApiError::new(ErrorKind::User, "that is no path from the root"));
        }
        api::StreamTarget::Unix(path) => (path, Target::Unix),
        api::StreamTarget::Exec(command) => (command, Target::Exec),
    };
    if text.is_empty() || text.len() > TARGET || text.contains('\0') {
        return Err(ApiError::new(ErrorKind::User, format!("a target has 1 to {TARGET} bytes and no NUL")));
    }
    Ok(made(text))
}

fn host_and_port(to: String) -> Result<String, ApiError> {
    let port = to.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    match port.and_then(|(_, port)| port.parse::<u16>().ok()) {
        Some(1..) => Ok(to),
        _ => Err(ApiError::new(ErrorKind::User, "that is no host and port")
            .hint("say it as localhost:5432, 192.0.2.1:80 or [2001:db8::1]:80")),
    }
}

pub(crate) fn no_offer() -> ApiError {
    unknown("stream").hint("\"hexode stream list\" lists what is offered")
}

/// How many flows of an offer are open at a time, unless said otherwise.
const FLOWS: u32 = 256;
/// The longest target, in bytes.
const TARGET: usize = 4096;
