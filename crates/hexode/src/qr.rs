use std::io::{self, IsTerminal};

use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};

/// Draws a code in half blocks, black on white whatever the terminal's colours; nothing if it would not fit or
/// nobody looks at a screen.
pub(crate) fn draw(text: &str) -> Option<String> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let (columns, _) = ratatui::crossterm::terminal::size().ok()?;
    render(text, usize::from(columns))
}

fn render(text: &str, columns: usize) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    // Four light modules on each side belong to the code (ISO/IEC 18004 §6.3.8).
    if code.width() + 8 > columns {
        return None;
    }
    let image = code.render::<Dense1x2>().quiet_zone(true).build();
    let lines = image.lines().map(|line| format!("\u{1b}[30;107m{line}\u{1b}[0m\n"));
    Some(lines.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_drawn_only_where_it_fits() {
        let drawn = render("hexode", 80).unwrap();
        assert!(drawn.lines().count() > 10 && drawn.contains('█') && drawn.contains('▀'));
        assert_eq!(render("hexode", 20), None);
        assert_eq!(render(&"x".repeat(4000), 1000), None);
    }
}
