//! Days, weeks and months of usage limits, all UTC. Weeks start on Monday.

use interline_domain::Timestamp;

const DAY_SECONDS: i64 = 86_400;

/// The days on which the current periods began, counted since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Periods {
    pub(crate) today: i64,
    pub(crate) week: i64,
    pub(crate) month: i64,
}

pub(crate) fn day(at: Timestamp) -> i64 {
    at.seconds().div_euclid(DAY_SECONDS)
}

impl Periods {
    pub(crate) fn at(now: Timestamp) -> Self {
        let today = day(now);
        // 1970-01-01 was a Thursday, three days after a Monday.
        let week = today - (today + 3).rem_euclid(7);
        Self {
            today,
            week,
            month: today - days_into_month(today),
        }
    }
}

/// Days since the first of the month. From "days to civil", Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms": years run from March, so that the leap day is the last.
fn days_into_month(day: i64) -> i64 {
    let of_era = (day + 719_468).rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    of_year - (153 * month + 2) / 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_begin() {
        // (seconds, today, this week's Monday, the first of this month)
        for (seconds, today, week, month) in [
            (0, 0, -3, 0),
            // 1970-01-05, a Monday
            (4 * DAY_SECONDS, 4, 4, 0),
            // 2000-02-29 23:59:59, a Tuesday
            (951_868_799, 11_016, 11_015, 10_988),
            // 2000-03-01, a Wednesday
            (951_868_800, 11_017, 11_015, 11_017),
            // 2024-12-31, a Tuesday
            (1_735_603_200, 20_088, 20_087, 20_058),
            // 2025-01-01, a Wednesday
            (1_735_689_600, 20_089, 20_087, 20_089),
        ] {
            let periods = Periods { today, week, month };
            assert_eq!(
                Periods::at(Timestamp::from_seconds(seconds)),
                periods,
                "{seconds}"
            );
        }
    }
}
