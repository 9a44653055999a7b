//! `/console/overview`: numbers at a glance, and two charts that are drawn here.

use actix_web::HttpResponse;
use actix_web::web::ServiceConfig;
use askama::Template;

use crate::app;
use crate::app::manage::Needs;
use crate::app::overview::Overview;
use crate::domain::figures::{Day, Factors, Tally};
use crate::http::console::Visit;
use crate::http::console::frame::Frame;
use crate::http::{on, read};

/// The charts' sizes, in units of the picture. On a phone one is about a pixel.
const WIDTH: i64 = 360;
const BARS_TOP: i64 = 16;
const BARS_HEIGHT: i64 = 110;
const DAY_WIDTH: i64 = WIDTH / 14;
const ROW_HEIGHT: i64 = 40;

/// The pages of this file.
pub(super) fn pages(config: &mut ServiceConfig) {
    config.service(on("/console/overview", "GET, HEAD").route(read().to(show)));
}

/// Numbers and charts.
#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    overview: Overview,
    today: Option<Tally>,
    log: Option<LogChart>,
    factors: Option<FactorChart>,
}

/// A bar: where it begins, and how large it is.
struct Bar {
    x: i64,
    y: i64,
    width: i64,
    height: i64,
}

/// Logins and refusals by day, side by side.
struct LogChart {
    days: Vec<LogDay>,
    /// What the highest bar stands for.
    highest: i64,
    bottom: i64,
}

struct LogDay {
    day: Day,
    /// The day of the month.
    short: String,
    middle: i64,
    tally: Tally,
    logins: Bar,
    refusals: Bar,
}

impl LogChart {
    fn of(days: &[(Day, Tally)]) -> Self {
        let highest = days.iter().map(|(_, tally)| tally.logins.max(tally.refusals)).max().unwrap_or(0);
        let bar = |x: i64, count: i64| {
            let height = length(count, highest, BARS_HEIGHT);
            Bar { x, y: BARS_TOP + BARS_HEIGHT - height, width: 9, height }
        };
        let days = days.iter().zip(0..).map(|((day, tally), place)| {
            let left = place * DAY_WIDTH + 5;
            LogDay {
                day: *day,
                short: day.to_string().get(8..).unwrap_or_default().to_owned(),
                middle: left + 9,
                tally: *tally,
                logins: bar(left, tally.logins),
                refusals: bar(left + 10, tally.refusals),
            }
        });
        Self { days: days.collect(), highest, bottom: BARS_TOP + BARS_HEIGHT }
    }
}

/// Factors by state, one below the other.
struct FactorChart {
    rows: Vec<FactorRow>,
}

struct FactorRow {
    state: &'static str,
    /// How it is coloured.
    class: &'static str,
    count: i64,
    text_y: i64,
    bar: Bar,
}

impl FactorChart {
    fn of(factors: Factors) -> Self {
        let states = [
            ("active", "good", factors.active),
            ("pending", "wait", factors.pending),
            ("revoked", "rest", factors.revoked),
        ];
        let most = states.iter().map(|(_, _, count)| *count).max().unwrap_or(0);
        let rows = states.into_iter().zip(0..).map(|((state, class, count), place)| {
            let top = place * ROW_HEIGHT;
            let bar = Bar { x: 0, y: top + 18, width: length(count, most, WIDTH), height: 14 };
            FactorRow { state, class, count, text_y: top + 12, bar }
        });
        Self { rows: rows.collect() }
    }
}

/// How long a bar is; what is there at all is seen.
fn length(count: i64, most: i64, whole: i64) -> i64 {
    if count <= 0 || most <= 0 { 0 } else { (count.saturating_mul(whole) / most).max(2) }
}

/// `GET /console/overview`.
async fn show(visit: Visit) -> HttpResponse {
    let found = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("users:read"),
            app::overview::look,
        )
        .await;
    visit.page(found, "overview", |frame, _, overview| OverviewPage {
        frame,
        today: overview.days.as_ref().and_then(|days| days.last()).map(|(_, tally)| *tally),
        log: overview.days.as_deref().map(LogChart::of),
        factors: overview.factors.map(FactorChart::of),
        overview,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stay_within_the_picture_and_the_smallest_is_seen() {
        let day = |place| Day::parse("2026-03-01").unwrap().plus(place);
        let most = Tally { logins: 1_000_000, refusals: 1 };
        let days: Vec<_> = (0..14).map(|place| (day(place), most)).collect();
        for day in LogChart::of(&days).days {
            assert_eq!((day.logins.height, day.refusals.height), (BARS_HEIGHT, 2));
            assert!(day.refusals.x + day.refusals.width <= WIDTH && day.logins.y >= BARS_TOP);
        }
    }

    #[test]
    fn an_empty_log_has_no_bars() {
        let chart = LogChart::of(&[(Day::of(crate::domain::time::Timestamp::LONG_AGO), Tally::default())]);
        assert!(chart.days.iter().all(|day| day.logins.height == 0 && day.refusals.height == 0));
    }
}
