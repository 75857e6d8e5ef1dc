//! The secrets by which members find each other, and nobody else does.

use vault::StoreError;
use wire::{EntryId, Frame, Signature};

use super::{CircleState, Ctx};

impl CircleState {
    /// Makes the secret that holds since a charter entry of this device's own.
    ///
    /// A signature: whoever gets it can check that it is the author's, and nobody else can make one up.
    pub(crate) fn draw_rendezvous(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        epoch: EntryId,
    ) -> Result<(), StoreError> {
        let secret = Signature(self.key.sign(EPOCH, &[self.id.as_bytes(), epoch.as_bytes()]));
        self.keep_rendezvous(ctx, epoch, secret)
    }

    /// Takes a secret from another device.
    pub(crate) fn handle_rendezvous(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        epoch: EntryId,
        secret: Signature,
    ) -> Result<(), StoreError> {
        if self.rendezvous.contains_key(&epoch) {
            return Ok(());
        }
        let author = self.epochs().into_iter().find(|(id, _)| *id == epoch).map(|(_, author)| author);
        let said = [self.id.as_bytes().as_slice(), epoch.as_bytes()];
        match author {
            Some(author) if author.verify(EPOCH, &said, &secret).is_ok() => {
                self.keep_rendezvous(ctx, epoch, secret)
            }
            _ => Ok(()),
        }
    }

    /// Keeps a rendezvous secret and passes it on to all members' devices with a link.
    fn keep_rendezvous(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        epoch: EntryId,
        secret: Signature,
    ) -> Result<(), StoreError> {
        ctx.tx.set_rendezvous(self.row, &epoch, &secret)?;
        self.rendezvous.insert(epoch, secret);
        self.command(ctx, self.lan_secrets());
        for device in self.links.keys().filter(|device| self.live_member(device).is_some()) {
            self.send(ctx, *device, &Frame::Rendezvous(epoch, secret));
        }
        Ok(())
    }
}

const EPOCH: &str = "hexode/node/rendezvous-epoch/1";
