use hyper::Method;
use node::api::{FoundRecoverable, NewSheets, Recovery, SheetWords, Sheets, UseSheets};
use wire::CircleId;

use super::{Client, ClientError};

impl Client {
    /// Founds a circle with recovery sheets.
    pub async fn found_recoverable(&self, found: &FoundRecoverable) -> Result<Sheets, ClientError> {
        self.give(Method::POST, "/v1/recoverable", found).await
    }

    /// Shows a circle's recovery keys and their uses.
    pub async fn recovery(&self, circle: CircleId) -> Result<Recovery, ClientError> {
        self.ask(Method::GET, &format!("/v1/circles/{circle}/recovery")).await
    }

    /// Makes recovery sheets for a circle that has none.
    pub async fn make_sheets(&self, circle: CircleId, sheets: &NewSheets) -> Result<Sheets, ClientError> {
        self.give(Method::POST, &format!("/v1/circles/{circle}/recovery"), sheets).await
    }

    /// Says which of the circle's sheets somebody has.
    pub async fn check_sheet(&self, circle: CircleId, sheet: &SheetWords) -> Result<u8, ClientError> {
        self.give(Method::POST, &format!("/v1/circles/{circle}/recovery/check"), sheet).await
    }

    /// Puts this device in the founder's place.
    pub async fn use_sheets(&self, circle: CircleId, sheets: &UseSheets) -> Result<Sheets, ClientError> {
        self.give(Method::POST, &format!("/v1/circles/{circle}/recovery/use"), sheets).await
    }
}
