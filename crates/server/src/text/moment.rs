//! How a moment is written for people: in the service's time zone, which is named, because a re-issue opens by it.

use fluent_bundle::FluentValue;
use jiff::Zoned;

use super::Text;

impl Text {
    /// A moment to the minute, with weekday and time zone: `11月22日(日) 8:10(日本時間)`. `at` is in the service's zone.
    #[must_use]
    pub fn moment(self, at: &Zoned) -> String {
        let zone = at.time_zone().iana_name().unwrap_or("UTC").to_owned();
        // Fluent selects on identifiers, and a zone's name has a slash in it.
        let zone_key = zone.replace('/', "-").to_ascii_lowercase();
        self.t_args(
            "moment",
            &[
                ("month", FluentValue::from(at.month())),
                ("day", FluentValue::from(at.day())),
                (
                    "weekday",
                    FluentValue::from(at.weekday().to_monday_one_offset()),
                ),
                (
                    "time",
                    FluentValue::from(format!("{}:{:02}", at.hour(), at.minute())),
                ),
                ("zone_key", FluentValue::from(zone_key)),
                ("zone", FluentValue::from(zone)),
            ],
        )
        .into_owned()
    }

    /// The time of day to the second, for comparing with a clock on a wall: `8:10:05`.
    #[must_use]
    pub fn time_of_day(self, at: &Zoned) -> String {
        format!("{}:{:02}:{:02}", at.hour(), at.minute(), at.second())
    }
}
