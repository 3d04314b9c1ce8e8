//! What a million tokens cost: electricity, the hours between, the machine; and against what somebody else asks for them.

use serde::Serialize;

/// Everything that enters, each with a value that somebody can see and change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Inputs {
    /// Joules a token while it works.
    pub joules_per_token: f64,
    /// Tokens a second while it works.
    pub tokens_per_s: f64,
    /// Money a kilowatt-hour.
    pub tariff_per_kwh: f64,
    /// Share of its time in which the machine is on and does nothing, 0 up to but not 1.
    pub idle_share: f64,
    /// Watts meanwhile.
    pub idle_watts: f64,
    /// What the machine costs.
    pub price: f64,
    /// Years that it is used.
    pub lifetime_years: f64,
    /// What somebody else asks for a million tokens.
    pub api_price_per_mtok: Option<f64>,
}

/// What is taken where nobody says anything else.
pub mod usual {
    /// Dollars a kilowatt-hour: about what a household in the United States pays.
    pub const TARIFF_PER_KWH: f64 = 0.17;
    /// Half of its time.
    pub const IDLE_SHARE: f64 = 0.5;
    /// What a DGX Spark takes at rest.
    pub const IDLE_WATTS: f64 = 25.0;
    /// As long as such machines are written off.
    pub const LIFETIME_YEARS: f64 = 4.0;
}

/// An input that cannot be: which, and what it has to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {value}; it has to be {range}")]
pub struct BadInput {
    /// Which.
    pub what: &'static str,
    /// What was given.
    pub value: String,
    /// What it has to be.
    pub range: &'static str,
}

/// What a million tokens cost, in three lines that each hold the one before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// Watt-hours while it works.
    pub wh_per_mtok: f64,
    /// Watt-hours with the idle hours that belong to them.
    pub wh_per_mtok_with_idle: f64,
    /// Money for the electricity while it works.
    pub marginal: f64,
    /// The same with the idle hours.
    pub with_idle: f64,
    /// The same with the machine's price spread over its life.
    pub with_machine: f64,
    /// Million tokens that it makes in its life at this share of idle time.
    pub mtok_in_life: f64,
    /// Million tokens from which on it is cheaper than the other; `None` without one to compare with, or where it never is.
    pub break_even_mtok: Option<f64>,
    /// Whether its life is long enough to make them.
    pub pays_in_life: Option<bool>,
}

/// One input, and what the machine's line would be with half and with twice of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Band {
    /// Which input.
    pub input: &'static str,
    /// Money a million tokens with half of it.
    pub half: f64,
    /// The same with twice of it.
    pub twice: f64,
}

const JOULES_A_WATT_HOUR: f64 = 3600.0;
const SECONDS_A_YEAR: f64 = 365.25 * 86_400.0;

impl Inputs {
    fn check(&self) -> Result<(), BadInput> {
        let above = |what, value: f64| (what, value, value.is_finite() && value > 0.0, "a number above 0");
        let not_below = |what, value: f64| (what, value, value.is_finite() && value >= 0.0, "a number from 0 up");
        let share = self.idle_share;
        let all = [
            above("joules a token", self.joules_per_token),
            above("tokens a second", self.tokens_per_s),
            not_below("the tariff", self.tariff_per_kwh),
            ("the idle share", share, (0.0..1.0).contains(&share), "from 0 up to, but not, 1"),
            not_below("idle watts", self.idle_watts),
            not_below("the price", self.price),
            above("the lifetime", self.lifetime_years),
            not_below("the API's price", self.api_price_per_mtok.unwrap_or(0.0)),
        ];
        match all.into_iter().find(|(_, _, fine, _)| !fine) {
            Some((what, value, _, range)) => Err(BadInput { what, value: value.to_string(), range }),
            None => Ok(()),
        }
    }

    /// The cost. Errors: an input that cannot be.
    pub fn cost(&self) -> Result<Cost, BadInput> {
        self.check()?;
        let busy_s = 1e6 / self.tokens_per_s;
        let wh_per_mtok = self.joules_per_token * 1e6 / JOULES_A_WATT_HOUR;
        let idle_s = busy_s * self.idle_share / (1.0 - self.idle_share);
        let wh_per_mtok_with_idle = wh_per_mtok + idle_s * self.idle_watts / JOULES_A_WATT_HOUR;
        let money = |wh: f64| wh / 1000.0 * self.tariff_per_kwh;
        let mtok_in_life = self.lifetime_years * SECONDS_A_YEAR * (1.0 - self.idle_share) * self.tokens_per_s / 1e6;
        let with_idle = money(wh_per_mtok_with_idle);
        let saved = self.api_price_per_mtok.map(|api| api - with_idle);
        let break_even_mtok = saved.filter(|saved| *saved > 0.0).map(|saved| self.price / saved);
        Ok(Cost {
            wh_per_mtok,
            wh_per_mtok_with_idle,
            marginal: money(wh_per_mtok),
            with_idle,
            with_machine: with_idle + self.price / mtok_in_life,
            mtok_in_life,
            break_even_mtok,
            pays_in_life: saved.map(|_| break_even_mtok.is_some_and(|mtok| mtok <= mtok_in_life)),
        })
    }

    /// What half and twice of each input would make of the machine's line; of the idle share, half and twice of the busy one, as far
    /// as it goes. Errors: as [`cost`](Self::cost).
    pub fn sensitivity(&self) -> Result<Vec<Band>, BadInput> {
        type Change = fn(&mut Inputs, f64);
        let changes: [(&'static str, Change); 6] = [
            ("joules a token", |i, by| i.joules_per_token *= by),
            ("tokens a second", |i, by| i.tokens_per_s *= by),
            ("tariff", |i, by| i.tariff_per_kwh *= by),
            ("busy share", |i, by| i.idle_share = (1.0 - (1.0 - i.idle_share) * by).max(0.0)),
            ("price", |i, by| i.price *= by),
            ("lifetime", |i, by| i.lifetime_years *= by),
        ];
        let with = |change: Change, by| {
            let mut inputs = *self;
            change(&mut inputs, by);
            inputs.cost().map(|cost| cost.with_machine)
        };
        changes
            .into_iter()
            .map(|(input, change)| Ok(Band { input, half: with(change, 0.5)?, twice: with(change, 2.0)? }))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spark() -> Inputs {
        Inputs {
            joules_per_token: 200.0 / 6.93,
            tokens_per_s: 6.93,
            tariff_per_kwh: 0.17,
            idle_share: 0.0,
            idle_watts: 0.0,
            price: 0.0,
            lifetime_years: 4.0,
            api_price_per_mtok: None,
        }
    }

    #[test]
    fn two_hundred_watts_at_the_roof_of_a_70b_are_eight_kilowatt_hours_a_million() {
        let cost = spark().cost().unwrap();
        assert!((cost.wh_per_mtok - 8017.0).abs() < 1.0 && (cost.marginal - 1.363).abs() < 1e-3, "{cost:?}");
        assert_eq!((cost.with_idle, cost.with_machine, cost.break_even_mtok), (cost.marginal, cost.marginal, None));
    }

    #[test]
    fn idle_hours_and_the_machine_come_on_top_and_break_even_is_where_both_are_equal() {
        let inputs =
            Inputs { idle_share: 0.75, idle_watts: 30.0, price: 2499.0, api_price_per_mtok: Some(8.0), ..spark() };
        let cost = inputs.cost().unwrap();
        // Three idle hours to a busy one: 3 · 30 W beside 200 W.
        assert!((cost.with_idle / cost.marginal - 290.0 / 200.0).abs() < 1e-9, "{cost:?}");
        assert!((cost.mtok_in_life - 4.0 * 365.25 * 86_400.0 * 0.25 * 6.93 / 1e6).abs() < 1e-6);
        assert!((cost.with_machine - cost.with_idle - 2499.0 / cost.mtok_in_life).abs() < 1e-9);
        let mtok = cost.break_even_mtok.unwrap();
        assert!((mtok * 8.0 - (2499.0 + mtok * cost.with_idle)).abs() < 1e-6 && cost.pays_in_life == Some(false));
        // Where electricity alone costs more, it never pays.
        let never = Inputs { api_price_per_mtok: Some(1.0), ..inputs }.cost().unwrap();
        assert_eq!((never.break_even_mtok, never.pays_in_life), (None, Some(false)));
        let band = inputs.sensitivity().unwrap();
        let of = |name: &str| band.iter().find(|b| b.input == name).copied().unwrap();
        assert!(of("price").half < cost.with_machine && of("price").twice > cost.with_machine);
        assert!(of("lifetime").half > cost.with_machine && of("busy share").twice < cost.with_machine);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (inputs, what) in [
            (Inputs { joules_per_token: 0.0, ..spark() }, "joules a token is 0"),
            (Inputs { tokens_per_s: f64::NAN, ..spark() }, "tokens a second is NaN"),
            (Inputs { idle_share: 1.0, ..spark() }, "the idle share is 1"),
            (Inputs { price: -1.0, ..spark() }, "the price is -1"),
            (Inputs { lifetime_years: f64::INFINITY, ..spark() }, "the lifetime is inf"),
        ] {
            assert!(inputs.cost().unwrap_err().to_string().starts_with(what), "{what}");
        }
    }
}
