//! `spark-bench fit`: what fits in a machine's memory, how fast it can be at most, what it costs.

mod amounts;
mod money;
mod room;
mod row;
mod told;

use super::{Verdict, ui};
use anyhow::{Context, ensure};
use money::Prices;
use room::Offer;
use row::Row;
use spark_kernels::attention::KvType;
use spark_kernels::format::Format;
use spark_results::machine::clean;
use spark_results::{Document, store};
use spark_workloads::llm::fit::{Shape, Weights};
use spark_workloads::llm::source;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A preset (spark-bench list models), a config.json or a folder with one (repeatable, or a comma list) [default: llama-3.1-8b]
    #[arg(short = 'm', long, value_name = "MODEL", value_delimiter = ',')]
    model: Vec<String>,
    /// A number of parameters in place of a shape, such as 70B; its cache is then not known (repeatable, or a comma list)
    #[arg(long, value_name = "COUNT", value_delimiter = ',', value_parser = amounts::parameters)]
    params: Vec<u64>,
    /// Formats of the layers' weights, a row each [default: all]
    #[arg(long, value_name = "FORMAT", value_delimiter = ',')]
    format: Vec<String>,
    /// Bits a weight, scales included, of a format that is none of these: 4.89 for llama.cpp's Q4_K_M (repeatable)
    #[arg(long, value_name = "BITS", value_delimiter = ',', value_parser = amounts::bits, allow_hyphen_values = true)]
    bits: Vec<f64>,
    /// Format of embedding and head
    #[arg(long, value_name = "FORMAT", default_value = "q8_0")]
    head: String,
    /// Type of cached keys and values: bf16, f32, int8 or fp8
    #[arg(long, value_name = "TYPE", default_value = "bf16")]
    kv: String,
    /// Tokens of the sequence, and of the prompt whose first token is waited for
    #[arg(long, value_name = "N", default_value_t = 4096)]
    context: u64,
    /// A published machine by its data sheet, such as 'DGX Spark' or 'M4 Max 128GB' [default: this machine, measured in a moment]
    #[arg(long, value_name = "NAME")]
    on: Option<String>,
    /// A run folder: the machine's roofs as that run measured them, and its joules a token
    #[arg(long, value_name = "RUN")]
    run: Option<PathBuf>,
    /// Memory, in place of the machine's: 24GiB
    #[arg(long, value_name = "SIZE", value_parser = amounts::bytes)]
    memory: Option<f64>,
    /// Share of memory that stays free
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = amounts::share, allow_hyphen_values = true)]
    margin: f64,
    /// Memory bandwidth, in place of the machine's: 273GB/s
    #[arg(long, value_name = "RATE", value_parser = amounts::bandwidth)]
    bandwidth: Option<f64>,
    /// Peak of the arithmetic, in place of the machine's: 125TFLOP/s
    #[arg(long, value_name = "RATE", value_parser = amounts::operations)]
    peak: Option<f64>,
    /// What the machine costs, in the money of the tariff
    #[arg(long, value_name = "MONEY", value_parser = amounts::money, help_heading = "Cost")]
    price: Option<f64>,
    #[command(flatten)]
    prices: Prices,
    /// Print the rows as JSON
    #[arg(long)]
    json: bool,
}

/// Formats that are listed where none is asked for.
const FORMATS: [Format; 6] = [Format::Mxfp4, Format::Nvfp4, Format::Q4_0, Format::Q8_0, Format::Bf16, Format::F32];
/// What is shown where no model is named.
const USUAL_MODEL: &str = "llama-3.1-8b";
/// More tokens than this no memory holds.
const MOST_TOKENS: u64 = 1 << 32;

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    ensure!(args.context <= MOST_TOKENS, "--context is {}; it has to be at most 2^32", args.context);
    let models = models(args)?;
    let weights = weights(args)?;
    let kv = KvType::ALL.iter().find(|of| of.name() == args.kv).copied();
    let kv =
        kv.with_context(|| format!("--kv '{}' is no type of a cache; choose bf16, f32, int8 or fp8", clean(&args.kv)))?;
    let run = args.run.as_deref().map(store::read).transpose()?.map(|run| Document::of(&run));
    let offer = Offer::of(args, run.as_ref())?;
    let mut rows = Vec::new();
    for (name, shape) in &models {
        for (format, weights) in &weights {
            let room = offer.room(Format::ALL.into_iter().find(|of| of.name() == format));
            let fit = shape.fit(*weights, kv, args.context, &room);
            let mut row = Row::new(name, shape, format, *weights, kv, args.context, fit, &offer);
            args.prices.enter(&mut row, run.as_ref(), offer.price.value)?;
            rows.push(row);
        }
    }
    if args.json {
        ui::line(serde_json::to_string_pretty(&rows)?);
    } else {
        ui::data(&told::table(&offer, &rows));
        ui::data(&args.prices.told(&offer, &rows)?);
    }
    Ok(Verdict::Fine)
}

/// The models asked for, each with its name.
fn models(args: &Args) -> anyhow::Result<Vec<(String, Shape)>> {
    let usual = [USUAL_MODEL.to_owned()];
    let named: &[String] = if args.model.is_empty() && args.params.is_empty() { &usual } else { &args.model };
    let mut models = Vec::new();
    for name in named {
        models.push((clean(name), Shape::Known(Box::new(source::find(name)?))));
    }
    let counted = args.params.iter().map(|count| (told::parameters(*count), Shape::Parameters(*count)));
    models.extend(counted);
    Ok(models)
}

/// The ways of storing weights asked for, each with its name.
fn weights(args: &Args) -> anyhow::Result<Vec<(String, Weights)>> {
    let head: Format = args.head.parse().with_context(|| "--head: it has to be a format")?;
    let usual = args.format.is_empty() && args.bits.is_empty();
    let mut all: Vec<_> = FORMATS.iter().filter(|_| usual).copied().collect();
    for name in &args.format {
        all.push(name.parse().with_context(|| format!("--format '{}': for others give --bits", clean(name)))?);
    }
    let of_format = all.into_iter().map(|format| (format.name().to_owned(), Weights::Engine { format, head }));
    let of_bits = args.bits.iter().map(|bits| (format!("{bits} bit"), Weights::Bits(*bits)));
    Ok(of_format.chain(of_bits).collect())
}
