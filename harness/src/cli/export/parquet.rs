//! For data frames: one row a number, as a Parquet file of plain columns.

use super::long::{COLUMNS, Row, TEXTS};
use parquet::basic::{LogicalType, Repetition, Type};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types;
use std::sync::Arc;

/// The file. Texts are required columns, numbers optional ones: a missing number is null.
pub(super) fn bytes(rows: &[Row]) -> anyhow::Result<Vec<u8>> {
    let field = |(at, name): (usize, &&str)| {
        let text = types::Type::primitive_type_builder(name, Type::BYTE_ARRAY)
            .with_repetition(Repetition::REQUIRED)
            .with_logical_type(Some(LogicalType::String));
        let number = types::Type::primitive_type_builder(name, Type::DOUBLE).with_repetition(Repetition::OPTIONAL);
        Ok(Arc::new(if at < TEXTS { text } else { number }.build()?))
    };
    let fields = COLUMNS.iter().enumerate().map(field).collect::<Result<Vec<_>, parquet::errors::ParquetError>>()?;
    let schema = Arc::new(types::Type::group_type_builder("numbers").with_fields(fields).build()?);
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties)?;
    let mut group = writer.next_row_group()?;
    let mut at = 0;
    while let Some(mut column) = group.next_column()? {
        if at < TEXTS {
            let texts: Vec<ByteArray> = rows.iter().map(|row| ByteArray::from(row.texts[at].as_str())).collect();
            column.typed::<ByteArrayType>().write_batch(&texts, None, None)?;
        } else {
            let numbers = || rows.iter().map(|row| row.numbers[at - TEXTS]);
            let there: Vec<f64> = numbers().flatten().collect();
            let levels: Vec<i16> = numbers().map(|number| i16::from(number.is_some())).collect();
            column.typed::<DoubleType>().write_batch(&there, Some(&levels), None)?;
        }
        column.close()?;
        at += 1;
    }
    group.close()?;
    Ok(writer.into_inner()?)
}
