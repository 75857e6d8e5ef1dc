use serde::Serialize;

/// What a measurement showed: the figure as a person reads it, whether the bar holds, and the bare numbers.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) figure: String,
    pub(crate) holds: bool,
    pub(crate) rows: Vec<Row>,
}

/// One number beside its peer's.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) ours: f64,
    /// What the peer, a bare iroh endpoint in the same run, shows.
    pub(crate) peer: Option<f64>,
}

impl Row {
    pub(crate) fn new(what: &'static str, unit: &'static str, ours: f64, peer: Option<f64>) -> Self {
        Self { what, unit, ours, peer }
    }
}

impl Verdict {
    pub(crate) fn print(&self) {
        println!("{}", serde_json::to_string(self).expect("a verdict is plain data"));
    }
}
