use wire::CircleId;

use crate::{
    Node,
    api::{self, ApiError},
};

impl Node {
    /// Shows a circle's recovery keys and their uses.
    pub async fn recovery(&self, circle: CircleId) -> Result<api::Recovery, ApiError> {
        self.glance(move |access| access.recovery(circle)).await
    }

    /// Gives a circle without recovery keys some, and returns their sheets.
    pub async fn make_sheets(
        &self,
        circle: CircleId,
        sheets: api::NewSheets,
    ) -> Result<api::Sheets, ApiError> {
        self.call(move |access| access.make_sheets(circle, sheets)).await
    }

    /// Says which sheet of the circle's somebody has.
    pub async fn check_sheet(&self, circle: CircleId, sheet: api::SheetWords) -> Result<u8, ApiError> {
        self.call(move |access| access.check_sheet(circle, &sheet.words)).await
    }

    /// Puts this device in the founder's place, with enough sheets.
    pub async fn use_sheets(
        &self,
        circle: CircleId,
        sheets: api::UseSheets,
    ) -> Result<api::Sheets, ApiError> {
        self.call(move |access| access.use_sheets(circle, &sheets)).await
    }
}
