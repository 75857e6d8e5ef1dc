//! Who verified whom: one's own record, those of one's other devices, and what others vouch for.

use charter::{Device, Method, Verification};
use vault::VerificationRecord;
use wire::{DeviceId, MemberId};

use super::{CircleState, view::VERIFICATION};
use crate::api;

impl CircleState {
    /// Returns what this device's person said last of a device's key, on whichever device of his.
    fn said_of(&self, device: &DeviceId) -> Option<(&DeviceId, &Verification)> {
        let me = self.my_member()?;
        let roster = self.charter.roster();
        let own =
            roster.verifications(device).filter(|(by, _)| roster.device(by).map(|by| by.member) == Some(me));
        own.max_by_key(|(_, said)| (said.lamport, said.entry))
    }

    /// Tells whether this device's person compared a device's key, on whichever device of his, so far as the charter says.
    pub(crate) fn compared(&self, device: &DeviceId) -> bool {
        let said = self.said_of(device).and_then(|(_, said)| said.method);
        said.is_some_and(Method::compares)
    }

    /// Shows whether a device is verified; `record` is this device's own of the time before the charter held them.
    pub(crate) fn verified_view(
        &self,
        device: &DeviceId,
        record: Option<&VerificationRecord>,
    ) -> Option<api::Verified> {
        if let Some((by, said)) = self.said_of(device) {
            let method = said.method.filter(|method| method.compares())?;
            let name = self.charter.roster().device(by).map(|by| by.name.to_string());
            let by = name.filter(|_| *by != self.me);
            return Some(api::Verified { at_ms: said.at_ms, method: method.into(), by });
        }
        let record = record?;
        let method: api::VerifyMethod = record.method.into();
        let statement = self.verification_statement(device, method, record.at_ms);
        // The record is this device's own signed word; one that does not check is not shown.
        self.me.verify(VERIFICATION, &[&statement], &record.signature).ok()?;
        Some(api::Verified { at_ms: record.at_ms, method, by: None })
    }

    /// Names the members who vouch for a device: with a device that this person has verified they compared its key.
    pub(crate) fn vouched_by(&self, device: &DeviceId) -> Vec<String> {
        let roster = self.charter.roster();
        let me = self.my_member();
        let mut names: Vec<_> = roster
            .verifications(device)
            .filter(|(by, said)| said.method.is_some_and(Method::compares) && self.compared(by))
            .filter_map(|(by, _)| roster.member_of(by))
            .filter(|member| Some(member.id) != me)
            .map(|member| member.name.to_string())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Lists the devices that this person has compared, in the circle or gone, with whose they are and his name.
    pub(crate) fn compared_keys(&self) -> Vec<(DeviceId, MemberId, String)> {
        let roster = self.charter.roster();
        let live = roster.devices().values().map(|device| (device.id, device.member));
        let gone = roster.removed().values().map(|gone| (gone.id, gone.member));
        let compared = live.chain(gone).filter(|(device, _)| self.compared(device));
        compared.map(|(device, member)| (device, member, self.member_name(&member))).collect()
    }

    /// Tells whether a device's key is new at somebody of whom this person had compared one: he has another device now, or
    /// somebody comes under the same name. Until it is compared as well, vouched for by a device of his that was, or
    /// accepted, anybody may be at it.
    pub(crate) fn has_new_key(&self, device: &Device, compared: &[(DeviceId, MemberId, String)]) -> bool {
        let own = Some(device.member) == self.my_member();
        if own || self.said_of(&device.id).is_some_and(|(_, said)| said.method.is_some()) {
            return false;
        }
        let name = self.member_name(&device.member);
        let known =
            |(_, member, called): &(DeviceId, MemberId, String)| *member == device.member || *called == name;
        if !compared.iter().any(known) {
            return false;
        }
        let by_himself = |by: &DeviceId| {
            compared.iter().any(|(verified, member, _)| verified == by && *member == device.member)
        };
        let mut said = self.charter.roster().verifications(&device.id);
        !said.any(|(by, said)| said.method.is_some_and(Method::compares) && by_himself(by))
    }

    /// Says in words whose keys are new.
    pub(crate) fn new_keys_trouble(&self) -> Option<String> {
        let compared = self.compared_keys();
        let mut devices = self.charter.roster().devices().values();
        let new = devices.find(|device| self.has_new_key(device, &compared))?;
        Some(format!(
            "{}, whose key you had compared, has a device with another key: {}; compare safety words with \"hexode verify {id}\" \
             before you trust it, or go on without by \"hexode verify {id} --accept\"",
            self.member_name(&new.member),
            new.name,
            id = new.id.short()
        ))
    }
}

impl From<Method> for api::VerifyMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::Words => Self::Words,
            Method::Emoji => Self::Emoji,
            Method::Code => Self::Qr,
            Method::Accepted => Self::Accepted,
        }
    }
}

impl From<api::VerifyMethod> for Method {
    fn from(method: api::VerifyMethod) -> Self {
        match method {
            api::VerifyMethod::Words => Self::Words,
            api::VerifyMethod::Emoji => Self::Emoji,
            api::VerifyMethod::Qr => Self::Code,
            api::VerifyMethod::Accepted => Self::Accepted,
        }
    }
}
