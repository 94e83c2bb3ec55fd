//! Bad input of every kind: each gets one clear message with its place, and none spoils the rows around it.

use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use stancekit::data::{
    Article, ArticleOptions, ArticleReader, BatchLimits, Column, Format, Output, Rejects, RowBatch, Source, TableOptions,
    TableReader, TableWriter, Value, expand,
};
use stancekit::error::{Error, ErrorKind, Result};
use tempfile::TempDir;

/// The fields of all good rows, and what was refused.
fn read_table(source: &Source, options: &TableOptions) -> Result<(Vec<Vec<String>>, Rejects)> {
    let mut table = TableReader::open(source, options)?;
    let (mut batch, mut rejects, mut rows) = (RowBatch::new(), Rejects::new(), Vec::new());
    while table.read_batch(&mut batch, BatchLimits::default(), &mut rejects)? {
        rows.extend((0..batch.n_rows()).map(|row| batch.row(row).map(str::to_owned).collect::<Vec<_>>()));
    }
    Ok((rows, rejects))
}

fn read_bytes(name: &str, bytes: impl AsRef<[u8]>) -> Result<(Vec<Vec<String>>, Rejects)> {
    read_table(&Source::from_bytes(name, bytes.as_ref()), &TableOptions::default())
}

fn read_articles(name: &str, bytes: impl AsRef<[u8]>) -> (Result<Vec<Article>>, ArticleReader) {
    let mut reader =
        ArticleReader::new(vec![Source::from_bytes(name, bytes.as_ref())], ArticleOptions::default(), Rejects::new());
    (reader.by_ref().collect(), reader)
}

fn fatal(name: &str, bytes: impl AsRef<[u8]>) -> Error {
    match read_bytes(name, bytes) {
        Ok((rows, _)) => panic!("{name} was read: {rows:?}"),
        Err(error) => error,
    }
}

fn refused(rejects: &Rejects) -> Vec<String> {
    rejects.first().iter().map(ToString::to_string).collect()
}

fn write_file(directory: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = directory.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn utf16(text: &str) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

#[test]
fn an_empty_file_is_an_error_in_every_format() {
    for name in ["e.csv", "e.tsv", "e.jsonl", "e.csv.gz"] {
        assert!(fatal(name, "").to_string().starts_with(&format!("{name}: the file is empty; expected")), "{name}");
    }
    assert!(fatal("e.csv", "\n\r\n").to_string().contains("no header"));
    assert!(fatal("e.csv", "\u{feff}").to_string().contains("the file is empty"));
    for name in ["e.txt", "e.md", "e.html"] {
        let (articles, reader) = read_articles(name, "");
        assert!(articles.unwrap().is_empty());
        assert!(refused(reader.rejects())[0].starts_with(&format!("{name}: the file is empty")), "{name}");
    }
}

#[test]
fn a_table_without_a_text_column_lists_its_columns() {
    let error = read_articles("t.csv", "id,words\n1,a\n").0.unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("t.csv: no text column; expected one of text, sentence"), "{message}");
    assert!(message.ends_with("found id, words; name it with --text"), "{message}");
}

#[test]
fn two_columns_of_one_name_are_an_error() {
    let message = fatal("t.csv", "id,text,id\n1,a,2\n").to_string();
    assert_eq!(message, "t.csv:1, column \"id\": two columns have the same name; rename one of them");
}

#[test]
fn a_ragged_row_is_refused_and_the_others_are_read() {
    let (rows, rejects) = read_bytes("t.csv", "id,text\n1,a\n2,b,c\n\"3\n\",d\n4\n5,e\n").unwrap();
    assert_eq!(rows, [["1", "a"], ["3\n", "d"], ["5", "e"]]);
    let messages = refused(&rejects);
    assert!(messages[0].starts_with("t.csv:3: ragged row; expected 2 fields, as in the header; found 3;"), "{messages:?}");
    assert!(messages[1].starts_with("t.csv:6: ragged row"), "{messages:?}");
}

#[test]
fn strict_reading_ends_at_the_first_refused_row() {
    let source = Source::from_bytes("t.csv", *b"id,text\n1,a\n2\n3,c\n");
    let mut reader = ArticleReader::new(vec![source], ArticleOptions::default(), Rejects::new().strict(true));
    let error = reader.find_map(Result::err).unwrap();
    assert!(error.to_string().starts_with("t.csv:3: ragged row"), "{error}");
    assert!(reader.next().is_none());
}

#[test]
fn a_row_of_50_mb_is_read_and_a_larger_one_refused() {
    // The largest allowed, but for the keys of the JSON line.
    let text = "They rejected it. ".repeat((50 * 1024 * 1024 - 100) / 18);
    let table = format!("id,text\n1,\"{text}\"\n2,\"{text}{text}\"\n3,c\n");
    let (rows, rejects) = read_bytes("t.csv", &table).unwrap();
    assert_eq!((rows.len(), rows[0][1].len(), rows[1][1].as_str()), (2, text.len(), "c"));
    assert!(refused(&rejects)[0].starts_with("t.csv:3: row too large; expected at most 52428800 bytes; look for a quote"));
    let json = format!("{{\"id\":1,\"text\":\"{text}\"}}\n{{\"id\":2,\"text\":\"{text}{text}\"}}\n{{\"id\":3,\"text\":\"c\"}}\n");
    let (rows, rejects) = read_bytes("t.jsonl", &json).unwrap();
    assert_eq!((rows.len(), rejects.n()), (2, 1));
}

#[test]
fn a_quote_that_is_never_closed_is_refused_with_its_line() {
    let (rows, rejects) = read_bytes("t.csv", "id,text\n1,a\n2,\"b\n3,c\n4,d\n").unwrap();
    assert_eq!(rows, [["1", "a"]]);
    assert!(refused(&rejects)[0].starts_with("t.csv:3: the quote opened on line 3 is never closed"));
}

#[test]
fn a_nul_byte_refuses_its_row() {
    let (rows, rejects) = read_bytes("t.csv", "id,text\n1,a\n2,b\0c\n3,d\n").unwrap();
    assert_eq!(rows, [["1", "a"], ["3", "d"]]);
    assert!(refused(&rejects)[0].starts_with("t.csv:3, column \"text\": a NUL byte in the text"));
    let (rows, rejects) = read_bytes("t.jsonl", "{\"text\":\"a\"}\n{\"text\":\"b\\u0000\"}\n").unwrap();
    assert_eq!((rows.len(), rejects.n()), (1, 1));
}

#[test]
fn invalid_utf8_in_mid_file_refuses_its_row() {
    let mut table = "id,text\n".to_owned().into_bytes();
    for i in 0..5000 {
        table.extend_from_slice(format!("{i},Le café numéro {i}\n").as_bytes());
    }
    table.extend_from_slice(b"5000,bad \xff byte\n5001,gut f\xc3\xbcr alle\n");
    let (rows, rejects) = read_bytes("t.csv", &table).unwrap();
    assert_eq!((rows.len(), rows[5000][1].as_str()), (5001, "gut für alle"));
    assert!(refused(&rejects)[0].starts_with("t.csv:5002, column \"text\": invalid UTF-8"));
}

#[test]
fn windows_1252_and_utf16_are_read_and_it_is_said() {
    let text = "id,text\n1,Le président a refusé la proposition “très” tôt\n2,La décision a été prise à l’unanimité\n";
    let (latin, encoding, _) = encoding_rs::WINDOWS_1252.encode(text);
    assert_eq!(encoding, encoding_rs::WINDOWS_1252);
    for (bytes, encoding) in [(latin.into_owned(), "windows-1252"), (utf16(text), "UTF-16LE")] {
        let (articles, mut reader) = read_articles("t.csv", &bytes);
        let texts: Vec<String> = articles.unwrap().into_iter().map(|a| a.text).collect();
        assert_eq!(texts, ["Le président a refusé la proposition “très” tôt", "La décision a été prise à l’unanimité"]);
        let notices = reader.take_notices();
        assert_eq!(
            notices[0].to_string(),
            format!("t.csv: not UTF-8, read as {encoding}; if that is wrong, say --encoding NAME")
        );
        let (articles, mut reader) = read_articles("t.txt", &bytes);
        assert!(articles.unwrap()[0].text.contains("président"));
        assert_eq!(reader.take_notices().len(), 1);
    }
    let options = TableOptions { encoding: Some("iso-8859-5".to_owned()), ..TableOptions::default() };
    let (rows, _) = read_table(&Source::from_bytes("t.csv", *b"text\n\xb4\xd0\n"), &options).unwrap();
    assert_eq!(rows, [["Да"]]);
}

#[test]
fn a_page_is_read_in_the_encoding_it_declares() {
    let sentence = "Министр отверг предложение о перемирии и покинул зал. ".repeat(20);
    let page = format!("<html><head><meta charset=koi8-r><title>Новости</title></head><body><p>{sentence}</p></body></html>");
    let (bytes, _, _) = encoding_rs::KOI8_R.encode(&page);
    let (articles, _) = read_articles("a.html", &bytes);
    assert_eq!(articles.unwrap()[0].text, sentence.trim());
}

#[test]
fn a_truncated_archive_gives_its_rows_and_then_an_error() {
    let mut table = "id,text\n".to_owned();
    (0..200_000).for_each(|i| table.push_str(&format!("{i},sentence number {}\n", i * 7919 % 100_003)));
    let whole = gzip(table.as_bytes());
    assert_eq!(read_bytes("t.csv.gz", &whole).unwrap().0.len(), 200_000);
    let (articles, reader) = read_articles("t.csv.gz", &whole[..whole.len() / 2]);
    assert!(articles.unwrap_err().to_string().contains("ends too early"));
    assert_eq!(reader.rejects().n(), 0);
    let source = Source::from_bytes("t.csv.gz", &whole[..whole.len() / 2]);
    let reader = ArticleReader::new(vec![source], ArticleOptions::default(), Rejects::new());
    assert!(reader.filter_map(Result::ok).count() > 50_000);
    let error = fatal("t.csv.gz", &whole[..whole.len() / 2]);
    assert!(error.to_string().starts_with("t.csv.gz: the compressed file ends too early; it was cut off"), "{error}");
    let error = fatal("t.csv.zst", &zstd::encode_all(table.as_bytes(), 1).unwrap()[..5000]);
    assert!(error.to_string().starts_with("t.csv.zst: the compressed file ends too early"), "{error}");
    let error = fatal("t.csv.gz", "id,text\n1,a\n");
    assert!(error.to_string().contains("not a compressed file; expected gzip data"), "{error}");
    let mut damaged = whole.clone();
    damaged[1000] ^= 0xff;
    assert!(matches!(fatal("t.csv.gz", &damaged).kind(), ErrorKind::Input));
}

#[test]
fn archives_of_several_members_are_read_whole_and_recognised_without_their_extension() {
    let table = [gzip(b"id,text\n1,a\n"), gzip(b"2,b\n")].concat();
    assert_eq!(read_bytes("t.csv", &table).unwrap().0, [["1", "a"], ["2", "b"]]);
}

#[test]
fn a_bad_json_line_is_refused_with_its_reason() {
    let lines = "{\"id\":1,\"text\":\"a\"}\n{\"id\":2,\n[1,2]\n\"x\"\n{\"id\":3,\"text\":[\"b\"]}\n{\"text\":\"\\ud800\"}\n";
    let (rows, rejects) = read_bytes("t.jsonl", lines).unwrap();
    assert_eq!(rows, [["1", "a"], ["3", "[\"b\"]"]]);
    let messages = refused(&rejects);
    assert_eq!(messages.len(), 4);
    assert!(
        messages[0].starts_with("t.jsonl:2: not a JSON object; expected one JSON object on one line; found EOF"),
        "{messages:?}"
    );
    assert!(messages[1].starts_with("t.jsonl:3: not a JSON object;"), "{messages:?}");
    assert!(fatal("t.jsonl", "[{\"text\":\"a\"}]\n").to_string().contains("found a JSON array; convert it with: jq -c '.[]'"));
    let (rows, rejects) = read_bytes("t.jsonl", "no json\n{\"text\":\"a\"}\n").unwrap();
    assert_eq!((rows.len(), rejects.n()), (1, 1));
}

#[test]
fn a_directory_is_read_in_sorted_order_and_unknown_files_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["b.txt", "a/2.md", "a/10.txt.gz", "c.pdf", ".hidden.txt", "a/.git/x.txt", "Z.txt"] {
        let bytes = if name.ends_with(".gz") { gzip(b"Text.") } else { b"Text.".to_vec() };
        write_file(&directory, name, bytes);
    }
    let sources = expand(&[directory.path()], None, &mut Rejects::new()).unwrap();
    let names: Vec<&Path> = sources.iter().map(|s| s.path().strip_prefix(directory.path()).unwrap()).collect();
    assert_eq!(names, ["Z.txt", "a/10.txt.gz", "a/2.md", "b.txt"].map(Path::new));
    let articles: Vec<Article> =
        ArticleReader::new(sources, ArticleOptions::default(), Rejects::new()).collect::<Result<_>>().unwrap();
    assert_eq!(articles.iter().map(|a| a.id.as_str()).collect::<Vec<_>>(), ["Z", "10", "2", "b"]);
}

#[test]
fn a_path_that_cannot_be_read_is_an_error_that_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.csv");
    let expand_one = |path: &Path| expand(&[path], None, &mut Rejects::new());
    assert!(expand_one(&missing).unwrap_err().to_string().contains("no such file or directory; check the path"));
    let pdf = write_file(&directory, "a.pdf", "x");
    assert!(expand_one(&pdf).unwrap_err().to_string().contains("unknown kind of file; expected .txt"));
    assert!(expand_one(directory.path()).unwrap_err().to_string().contains("nothing to read in this directory"));
    assert!(fatal("a.txt", "Not a table.").to_string().contains("not a table; expected CSV"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_one_clear_error() {
    let output = Output::create(Some(Path::new("/dev/full"))).unwrap();
    let mut writer = TableWriter::new(output, Format::Csv, vec![Column::text("text")]).unwrap();
    let text = "x".repeat(100_000);
    let result = (0..100).try_for_each(|_| writer.write_row([Value::Text(&text)])).and_then(|()| writer.finish());
    let error = result.unwrap_err();
    assert!(error.to_string().starts_with("/dev/full: no space left to write the output; found "), "{error}");
    assert!(!error.is_broken_pipe());
}

#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_cannot_be_written_to_is_found_when_the_output_is_opened() {
    // Nobody, not even root, makes files here.
    let error = Output::create(Some(Path::new("/proc/out.csv"))).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Io);
    let directory = tempfile::tempdir().unwrap();
    let error = Output::create(Some(&directory.path().join("none/out.csv"))).err().unwrap().to_string();
    assert!(error.contains("the directory of the output does not exist; found"), "{error}");
    let error = Output::create(Some(directory.path())).err().unwrap().to_string();
    assert!(error.contains("the output is a directory"), "{error}");
    let path = write_file(&directory, "read-only.csv", "");
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions).unwrap();
    let error = Output::create(Some(&path)).err().unwrap().to_string();
    assert!(error.contains("not allowed to write the output here"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_recognised() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || drop(std::fs::File::open(pipe).unwrap())
    });
    let mut output = Output::create(Some(&pipe)).unwrap();
    reader.join().unwrap();
    let error = (0..10).try_for_each(|_| output.write_bytes(&[b'x'; 1 << 20])).unwrap_err();
    assert!(error.is_broken_pipe(), "{error}");
}

#[test]
fn refused_rows_are_written_to_a_table() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rejects.csv");
    let rejects = Rejects::new().write_to(Output::create(Some(&path)).unwrap()).unwrap();
    let source = Source::from_bytes("t.csv", *b"id,text\n1\n2,\xff\xc3\xa9\n3,c\n");
    let mut reader = ArticleReader::new(vec![source], ArticleOptions::default(), rejects);
    assert_eq!(reader.by_ref().count(), 1);
    reader.into_rejects().finish().unwrap();
    let (rows, _) = read_table(&Source::file(&path, None).unwrap(), &TableOptions::default()).unwrap();
    assert_eq!(rows[0][..3], ["t.csv", "2", ""]);
    assert_eq!(rows[1][..3], ["t.csv", "3", "text"]);
    assert!(rows[1][3].starts_with("invalid UTF-8; save the file as UTF-8"), "{rows:?}");
}

#[cfg(not(feature = "parquet"))]
#[test]
fn parquet_needs_its_feature() {
    assert_eq!(fatal("t.parquet", "PAR1").kind(), ErrorKind::Unsupported);
    let directory = tempfile::tempdir().unwrap();
    let output = Output::create(Some(&directory.path().join("t.parquet"))).unwrap();
    assert!(TableWriter::new(output, Format::Parquet, vec![Column::text("a")]).is_err());
}

#[cfg(feature = "parquet")]
mod parquet {
    use stancekit::data::{ColumnType, RowBuffer};

    use super::*;

    fn columns() -> Vec<Column> {
        vec![
            Column::text("text"),
            Column::new("n", ColumnType::Int),
            Column::new("p", ColumnType::Number),
            Column::new("ok", ColumnType::Bool),
        ]
    }

    #[test]
    fn what_is_written_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.parquet");
        let mut writer = TableWriter::new(Output::create(Some(&path)).unwrap(), Format::Parquet, columns()).unwrap();
        let layout = writer.layout();
        let mut buffer = RowBuffer::new();
        for i in 0..300_000 {
            let text = format!("é {i}");
            let row = [Value::Text(&text), Value::Int(i), Value::Number(i as f64 / 4.0), Value::Bool(i % 2 == 0)];
            layout.push_row(&mut buffer, row);
            if buffer.n_rows() == 1000 {
                writer.write_buffer(&mut buffer).unwrap();
            }
        }
        writer.write_row([Value::Null, Value::Null, Value::Number(f64::NAN), Value::Null]).unwrap();
        writer.finish().unwrap();
        let (rows, rejects) = read_table(&Source::file(&path, None).unwrap(), &TableOptions::default()).unwrap();
        assert_eq!((rows.len(), rejects.n()), (300_001, 0));
        assert_eq!(rows[5], ["é 5", "5", "1.25", "false"]);
        assert_eq!(rows[300_000], ["", "", "", ""]);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(read_bytes("t.parquet", &bytes).unwrap().0.len(), 300_001);
        assert!(read_bytes("t.parquet", &bytes[..bytes.len() / 2]).is_err());
    }

    #[test]
    fn any_one_damaged_byte_is_no_panic() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.parquet");
        let mut writer = TableWriter::new(Output::create(Some(&path)).unwrap(), Format::Parquet, columns()).unwrap();
        for i in 0..100 {
            let text = format!("sentence {i}");
            writer.write_row([Value::Text(&text), Value::Int(i), Value::Number(0.5), Value::Bool(true)]).unwrap();
        }
        writer.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            for change in [0x01, 0x0f, 0x40, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= change;
                let _ = read_bytes("t.parquet", &damaged);
            }
        }
    }

    #[test]
    fn what_is_no_parquet_is_an_error() {
        assert!(fatal("t.parquet", "id,text\n").to_string().contains("not a Parquet file, or a damaged one"));
        assert!(fatal("t.parquet", "").to_string().contains("not a Parquet file"));
        let error = TableReader::open(&Source::stdin(Some(Format::Parquet)), &TableOptions::default()).err().unwrap();
        assert!(error.to_string().contains("Parquet cannot be read from standard input"), "{error}");
    }
}

/// Every name is read as its format says; the outcome does not matter, a panic does.
fn read_as_everything(bytes: &[u8]) {
    for name in ["r.txt", "r.md", "r.html", "r.csv", "r.tsv", "r.jsonl", "r.csv.gz", "r.jsonl.zst", "r"] {
        let options = ArticleOptions { group_sentences: name == "r.tsv", ..ArticleOptions::default() };
        let reader = ArticleReader::new(vec![Source::from_bytes(name, bytes)], options, Rejects::new());
        reader.for_each(drop);
        if let Ok((rows, _)) = read_bytes(name, bytes) {
            assert!(rows.iter().flatten().all(|field| !field.contains('\0')));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        read_as_everything(&bytes);
    }

    #[test]
    fn random_pieces_of_formats_never_panic(pieces in prop::collection::vec(prop::sample::select(vec![
        "text", "id", ",", "\n", "\r\n", "\"", "\t", ";", "{", "}", ":", "[", "]", "(", ")", "{\"text\":", "\"a\"", "null", "\\", "\\u00", "---\n",
        "title: x\n", "# ", "* ", "**", "_", "`", "```\n", "![", "](", "<", ">", "<p>", "</p>", "<li>", "<table>", "</div>", "<div>", "<script>",
        "<!--", "-->", "<svg>", "<template>", "<math>", "<title>", "<meta charset=utf-16>", "&#0;", "&amp", "é", "\u{feff}", "\0", "☃ snow. ",
        "article,index,text\n", "They rejected the plan, and left the room without a word to the press. ",
    ]), 0..40)) {
        read_as_everything(pieces.concat().as_bytes());
    }

    #[test]
    fn damaged_archives_never_panic(at in 0usize..200, value: u8, cut in 0usize..200) {
        let table: String = (0..50).map(|i| format!("{i},sentence {i}\n")).collect();
        for (name, mut bytes) in [("r.csv.gz", gzip(table.as_bytes())), ("r.csv.zst", zstd::encode_all(table.as_bytes(), 1).unwrap())] {
            let n = bytes.len();
            bytes[at % n] = value;
            bytes.truncate(n - cut % n);
            let _ = read_bytes(name, &bytes);
        }
    }

    #[test]
    fn bytes_of_the_middle_never_panic_after_a_good_header(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_as_everything(&[b"id,text\n1,caf\xc3\xa9\n", &bytes[..]].concat());
        read_as_everything(&[b"{\"text\":\"caf\xc3\xa9\"}\n{\"text\":\"", &bytes[..]].concat());
        read_as_everything(&[b"<html><body><p>They rejected the plan. ", &bytes[..]].concat());
    }
}
