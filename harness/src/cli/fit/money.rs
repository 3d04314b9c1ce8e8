//! What a million tokens cost on the machine of a row, with every input visible and editable.

use super::amounts;
use super::room::Offer;
use super::row::{Priced, Row};
use spark_results::Document;
use spark_results::cost::Inputs;
use spark_results::quantity::digits;

/// The inputs that are flags; none of them is hidden.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Cost")]
pub(super) struct Prices {
    /// Money a kilowatt-hour
    #[arg(long, value_name = "MONEY/kWh", default_value = "0.17/kWh", value_parser = amounts::tariff)]
    tariff: f64,
    /// Share of its life in which the machine is on and idle
    #[arg(long, value_name = "SHARE", default_value = "50%", value_parser = amounts::share, allow_hyphen_values = true)]
    idle_share: f64,
    /// Watts while it is idle
    #[arg(long, value_name = "W", default_value = "25W", value_parser = amounts::watts)]
    idle_watts: f64,
    /// Years that the machine is used
    #[arg(long, value_name = "YEARS", default_value = "4y", value_parser = amounts::years)]
    lifetime: f64,
    /// What somebody else asks for a million tokens, for the break-even
    #[arg(long, value_name = "MONEY/Mtok", value_parser = amounts::price_a_million)]
    api_price: Option<f64>,
    /// Joules a token, in place of those that a run measured
    #[arg(long, value_name = "J", value_parser = amounts::above_zero, conflicts_with = "watts")]
    joules_per_token: Option<f64>,
    /// Watts while it works, in place of joules a token
    #[arg(long, value_name = "W", value_parser = amounts::above_zero)]
    watts: Option<f64>,
    /// Tokens a second, in place of those that a run measured or the roof allows
    #[arg(long, value_name = "RATE", value_parser = amounts::above_zero)]
    tokens_per_s: Option<f64>,
}

/// A value and where it comes from.
type From = (f64, String);

impl Prices {
    /// Enters the cost into a row, or why there is none. Errors: an input that cannot be.
    pub(super) fn enter(&self, row: &mut Row, run: Option<&Document>, price: Option<f64>) -> anyhow::Result<()> {
        match self.priced(row, run, price)? {
            Ok(priced) => row.cost = Some(priced),
            Err(why) => drop(row.unavailable.insert("cost", why)),
        }
        Ok(())
    }

    fn priced(&self, row: &Row, run: Option<&Document>, price: Option<f64>) -> anyhow::Result<Result<Priced, String>> {
        let Some((tokens_per_s, speed_from)) = self.speed(row, run) else {
            return Ok(Err("no speed is known; give --tokens-per-s or a bandwidth".to_owned()));
        };
        let Some((joules_per_token, joules_from)) = self.joules(row, run, tokens_per_s) else {
            let why = match run {
                Some(run) => format!("run {} has no joules a token of this model and format", run.manifest.id),
                None => "joules a token were not measured".to_owned(),
            };
            return Ok(Err(format!("{why}; give --joules-per-token, --watts, or a --run whose sensors spoke")));
        };
        let Some(price) = price else {
            return Ok(Err("the machine's price is not known; give --price".to_owned()));
        };
        let inputs = Inputs {
            joules_per_token,
            tokens_per_s,
            tariff_per_kwh: self.tariff,
            idle_share: self.idle_share,
            idle_watts: self.idle_watts,
            price,
            lifetime_years: self.lifetime,
            api_price_per_mtok: self.api_price,
        };
        let (cost, sensitivity) = (inputs.cost()?, inputs.sensitivity()?);
        Ok(Ok(Priced { inputs, joules_from, speed_from, cost, sensitivity }))
    }

    fn speed(&self, row: &Row, run: Option<&Document>) -> Option<From> {
        if let Some(given) = self.tokens_per_s {
            return Some((given, "given".to_owned()));
        }
        let measured = decodes(row, run).filter_map(|e| Some((e.rates?.items_per_s?, e.id.as_str())));
        let fastest = measured.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(rate, id)| (rate, format!("measured: {id}")));
        fastest.or_else(|| {
            Some((row.decode_tok_s_bound?, "the most that memory allows, which nothing reaches".to_owned()))
        })
    }

    fn joules(&self, row: &Row, run: Option<&Document>, tokens_per_s: f64) -> Option<From> {
        if let Some(given) = self.joules_per_token {
            return Some((given, "given".to_owned()));
        }
        if let Some(watts) = self.watts {
            return Some((watts / tokens_per_s, format!("{watts} W as given ÷ {} tok/s", digits(tokens_per_s))));
        }
        // The widest scope that spoke: it costs the most, and nothing of it is free.
        let spoken = decodes(row, run)
            .flat_map(|e| e.efficiency.iter().map(move |x| (1.0 / x.items_per_joule, &x.scope, &e.id)));
        spoken
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(joules, scope, id)| (joules, format!("measured, scope {scope}: {id}")))
    }

    /// The three lines of each row, the break-even, the band, and all inputs.
    pub(super) fn told(&self, offer: &Offer, rows: &[Row]) -> anyhow::Result<String> {
        let mut text = format!(
            "\ncost of a million tokens, one stream, in the money of the tariff; every input can be given:\n  --tariff {}/kWh  --idle-share {}%  \
             --idle-watts {}W  --lifetime {}y  --price {}  --api-price {}\n",
            self.tariff,
            100.0 * self.idle_share,
            self.idle_watts,
            self.lifetime,
            offer
                .price
                .value
                .map_or_else(|| format!("– ({})", offer.price.from), |price| format!("{price} ({})", offer.price.from)),
            self.api_price.map_or_else(|| "– (not given: no break-even)".to_owned(), |price| format!("{price}/Mtok")),
        );
        let mut why: Vec<&String> =
            rows.iter().filter(|row| row.cost.is_none()).filter_map(|row| row.unavailable.get("cost")).collect();
        why.dedup();
        text.extend(why.iter().map(|why| format!("  unavailable: {why}\n")));
        for row in rows {
            if let Some(priced) = &row.cost {
                text += &lines(row, priced);
            }
        }
        Ok(text)
    }
}

fn lines(row: &Row, priced: &Priced) -> String {
    let (cost, inputs) = (&priced.cost, &priced.inputs);
    let mut text = format!(
        "  {} {}: {} J a token ({}), {} tok/s ({})\n    marginal      {:>9}   {} Wh\n    with idle     {:>9}   {} Wh\n    \
         with machine  {:>9}   {} Mtok in its life\n",
        row.model,
        row.format,
        digits(inputs.joules_per_token),
        priced.joules_from,
        digits(inputs.tokens_per_s),
        priced.speed_from,
        digits(cost.marginal),
        digits(cost.wh_per_mtok),
        digits(cost.with_idle),
        digits(cost.wh_per_mtok_with_idle),
        digits(cost.with_machine),
        digits(cost.mtok_in_life),
    );
    if let Some(api) = inputs.api_price_per_mtok {
        text += &match (cost.break_even_mtok, cost.pays_in_life) {
            (Some(mtok), Some(true)) => format!("    cheaper than {api}/Mtok from {} Mtok on\n", digits(mtok)),
            (Some(mtok), _) => {
                format!("    cheaper than {api}/Mtok from {} Mtok on, more than it makes in its life\n", digits(mtok))
            }
            (None, _) => format!("    never cheaper than {api}/Mtok: electricity alone costs more\n"),
        };
    }
    let bands: Vec<_> = priced
        .sensitivity
        .iter()
        .map(|b| format!("{} {}–{}", b.input, digits(b.half.min(b.twice)), digits(b.half.max(b.twice))))
        .collect();
    text + &format!("    with half and twice of one input: {}\n", bands.join(", "))
}

/// Decodes of one stream of this model and format in the run.
fn decodes<'r>(row: &'r Row, run: Option<&'r Document>) -> impl Iterator<Item = &'r spark_results::Entry> {
    let records = run.map_or(&[][..], |run| &run.records);
    let same = |e: &spark_results::Entry| {
        let is = |axis: &str, value: &str| e.axis(axis).is_some_and(|of| of == value);
        is("model", &row.model) && is("format", &row.format) && e.int("batch").unwrap_or(1) == 1
    };
    records.iter().filter(move |e| e.workload == "decode" && e.status == "measured" && !e.simulated && same(e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use spark_results::cost::usual;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        prices: Prices,
    }

    #[test]
    fn what_nobody_gives_is_what_the_report_takes_too() {
        let Only { prices } = Only::parse_from(["fit"]);
        let taken = [prices.tariff, prices.idle_share, prices.idle_watts, prices.lifetime];
        assert_eq!(taken, [usual::TARIFF_PER_KWH, usual::IDLE_SHARE, usual::IDLE_WATTS, usual::LIFETIME_YEARS]);
    }
}
