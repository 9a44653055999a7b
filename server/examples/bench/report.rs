//! What was measured, as Markdown and as pictures.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Tried;

/// One table.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) heads: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, heads: &[&'static str]) -> Self {
        Self { title: title.into(), heads: heads.to_vec(), rows: Vec::new() }
    }

    /// Adds a row and says it at once: a run takes minutes.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        eprintln!("{}: {}", self.title, cells.join(" | "));
        self.rows.push(cells);
    }

    pub(crate) fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let heads: Vec<String> = self.heads.iter().map(|head| (*head).to_owned()).collect();
        // Figures stand to the right.
        let rule = format!("|---|{}\n", "---:|".repeat(heads.len().saturating_sub(1)));
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!("### {}\n\n{}{rule}{rows}\n", self.title, line(&heads))
    }
}

/// A figure without more digits than it deserves, in groups of three.
pub(crate) fn figure(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `part` of `whole`, in per cent.
pub(crate) fn share(part: f64, whole: f64) -> String {
    if whole > 0.0 { format!("{:.0} %", 100.0 * part / whole) } else { "–".to_owned() }
}

/// A bar of a picture.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) value: f64,
    /// Whether it is a limit of the machine, and so of another colour.
    pub(crate) is_limit: bool,
}

/// Horizontal bars, readable on a light and on a dark page.
#[expect(clippy::cast_precision_loss, reason = "positions in a picture")]
pub(crate) fn bars(title: &str, unit: &str, bars: &[Bar]) -> String {
    let (width_px, left, step) = (760.0, 300.0, 28.0);
    let most = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    let height = bars.len() as f64 * step + 64.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-24 0 {} {height}\" role=\"img\" aria-label=\"{title}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\">\n\
         <style>text {{ fill: #1d2326 }} .ours {{ fill: #1f7a6d }} .limit {{ fill: #9aa5a8 }} \
         @media (prefers-color-scheme: dark) {{ text {{ fill: #e6eaeb }} .ours {{ fill: #6fcfbe }} .limit {{ fill: #5f6b6e }} }}</style>\n\
         <text x=\"0\" y=\"18\" font-weight=\"600\">{} ({})</text>\n",
        width_px + 24.0,
        escaped(title),
        escaped(unit),
        title = escaped(title),
    );
    for (index, bar) in bars.iter().enumerate() {
        let y = index as f64 * step + 36.0;
        let width = (width_px - left - 90.0) * bar.value / most;
        let class = if bar.is_limit { "limit" } else { "ours" };
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\
             <rect class=\"{class}\" x=\"{left}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"18\" rx=\"3\"/>\
             <text x=\"{:.1}\" y=\"{:.0}\">{}</text>",
            left - 10.0,
            y + 14.0,
            escaped(&bar.label),
            left + width + 8.0,
            y + 14.0,
            figure(bar.value),
        );
    }
    svg + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// On what it was measured, as a list.
pub(crate) fn machine(words: &str) -> String {
    let first = |file: &str, prefix: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(prefix)).unwrap_or_default();
        line.split_once(':').map_or_else(|| line.to_owned(), |(_, value)| value.trim().to_owned())
    };
    let said = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "- command: `cargo xtask bench {words}`\n- date: {}\n- processor: {} × {}\n- memory: {}\n- kernel: {}\n- compiler: {}\n",
        said("date", "+%F"),
        cores,
        first("/proc/cpuinfo", "model name"),
        first("/proc/meminfo", "MemTotal"),
        said("uname", "-sr"),
        said("rustc", "--version"),
    )
}

/// Writes the tables and pictures into a folder.
pub(crate) fn write(
    folder: &Path,
    machine: &str,
    tables: &[Table],
    pictures: &[(&str, String)],
) -> Tried<()> {
    fs::create_dir_all(folder)?;
    let mut text = format!(
        "# Results\n\nWritten by the benchmark itself; [README.md](README.md) says what the figures mean.\n\n{machine}\n"
    );
    for (name, svg) in pictures {
        fs::write(folder.join(name), svg)?;
        let _ = writeln!(text, "![{name}]({name})\n");
    }
    for table in tables {
        text.push_str(&table.markdown());
    }
    fs::write(folder.join("results.md"), text.trim_end().to_owned() + "\n")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_as_long_as_they_are_good() {
        let shown: Vec<String> = [0.123, 9.999, 47.26, 999.6, 12_345.6, 1_234_567.0].map(figure).to_vec();
        assert_eq!(shown, ["0.12", "10.00", "47.3", "1,000", "12,346", "1,234,567"]);
        assert_eq!(share(1.0, 3.0), "33 %");
        assert_eq!(share(1.0, 0.0), "–");
    }

    #[test]
    fn labels_cannot_break_a_picture() {
        let bar = Bar { label: "a < b & \"c\"".to_owned(), value: 3.0, is_limit: false };
        let svg = bars("t", "u", &[bar]);
        assert!(svg.contains("a &lt; b &amp; &quot;c&quot;"), "{svg}");
        assert!(!svg.contains("NaN"), "{svg}");
    }
}
