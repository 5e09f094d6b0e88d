//! Writes Prometheus' text format 0.0.4, or OpenMetrics 1.0: the same samples under slightly different headings.

use std::fmt::{Display, Write};

use http::HeaderMap;
use http::header::ACCEPT;

use crate::rollup::{Durations, TotalsExemplar};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    OpenMetrics,
}

impl Format {
    /// What the reader prefers; text where it does not say.
    pub(super) fn accepted(headers: &HeaderMap) -> Format {
        let mut text = 0.0;
        let mut open_metrics = 0.0;
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        for range in values.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let quality = parts.find_map(|part| part.strip_prefix("q=")).and_then(|q| q.parse().ok());
            let best = match media {
                "application/openmetrics-text" => &mut open_metrics,
                "text/plain" => &mut text,
                _ => continue,
            };
            *best = f32::max(*best, quality.unwrap_or(1.0));
        }
        if open_metrics > 0.0 && open_metrics >= text { Format::OpenMetrics } else { Format::Text }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The type of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its name ends in `_total`.
    Counter,
    Gauge,
    Histogram,
}

/// The text under construction. A family is announced first; its samples follow, and nothing in between.
#[derive(Debug)]
pub(super) struct Exposition {
    format: Format,
    out: String,
    family: &'static str,
}

impl Exposition {
    pub(super) fn new(format: Format) -> Exposition {
        Exposition { format, out: String::new(), family: "" }
    }

    /// Begins a family. `help` is plain text without line breaks.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        self.family = name;
        let kind_name = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let heading = match (self.format, kind) {
            (Format::OpenMetrics, Kind::Counter) => name.strip_suffix("_total").unwrap_or(name),
            _ => name,
        };
        self.write(format_args!("# HELP {heading} {help}\n# TYPE {heading} {kind_name}\n"));
    }

    /// One sample of the family.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.line("", labels, None, value);
    }

    /// One classic histogram of the family. Of `exemplars` each bucket shows the first that is in it, where the
    /// format has a place for it.
    pub(super) fn histogram(
        &mut self,
        labels: &[(&str, &str)],
        bounds: &[f64],
        of: &Durations,
        exemplars: &[&TotalsExemplar],
    ) {
        let mut below = f64::NEG_INFINITY;
        for (bound, count) in bounds.iter().copied().zip(&of.at_most).chain([(f64::INFINITY, &of.count)]) {
            // `{:?}` keeps the point, which OpenMetrics wants, so a bound is the same series in both formats.
            let le = if bound.is_finite() { format!("{bound:?}") } else { "+Inf".to_owned() };
            self.line("_bucket", labels, Some(&le), count);
            let is_in = |one: &&&TotalsExemplar| one.seconds > below && one.seconds <= bound;
            if let Some(exemplar) = exemplars.iter().find(is_in) {
                self.exemplar(exemplar);
            }
            below = bound;
        }
        self.line("_sum", labels, None, of.sum_s);
        self.line("_count", labels, None, of.count);
    }

    /// Adds a call to the line just written.
    fn exemplar(&mut self, of: &TotalsExemplar) {
        if self.format == Format::OpenMetrics {
            self.out.pop();
            let TotalsExemplar { trace_id, span_id, seconds, at_s, .. } = of;
            self.write(format_args!(
                " # {{trace_id=\"{trace_id}\",span_id=\"{span_id}\"}} {seconds} {at_s:.3}\n"
            ));
        }
    }

    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], bound: Option<&str>, value: impl Display) {
        self.out.push_str(self.family);
        self.out.push_str(suffix);
        let all = labels.iter().copied().chain(bound.map(|bound| ("le", bound)));
        let mut separator = '{';
        for (name, value) in all {
            self.out.push(separator);
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape(&mut self.out, value);
            self.out.push('"');
            separator = ',';
        }
        if separator == ',' {
            self.out.push('}');
        }
        self.write(format_args!(" {value}\n"));
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.out.write_fmt(text).expect("writing to a String cannot fail");
    }
}

fn escape(out: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_that_the_reader_prefers() {
        let check = |accept: &str, want: Format| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            assert_eq!(Format::accepted(&headers), want, "{accept}");
        };
        check("*/*", Format::Text);
        check("application/openmetrics-text", Format::OpenMetrics);
        check("application/openmetrics-text; version=1.0.0; q=0", Format::Text);
        check("text/plain, application/openmetrics-text;q=0.5", Format::Text);
        // As Prometheus 3 asks.
        check(
            "application/openmetrics-text;version=1.0.0;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,\
             text/plain;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            Format::OpenMetrics,
        );
        assert_eq!(Format::accepted(&HeaderMap::new()), Format::Text);
    }

    #[test]
    fn label_values_are_escaped() {
        let mut out = Exposition::new(Format::Text);
        out.family("x_total", Kind::Counter, "Help.");
        out.sample(&[("a", "back\\slash \"quoted\"\nnext"), ("b", "")], 7);
        let want = "# HELP x_total Help.\n# TYPE x_total counter\n\
                    x_total{a=\"back\\\\slash \\\"quoted\\\"\\nnext\",b=\"\"} 7\n";
        assert_eq!(out.finish(), want);
    }
}
