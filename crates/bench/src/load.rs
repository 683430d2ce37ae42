//! The load: requests as fast as they go, streams, a constant rate, or streams merely held.
//!
//! One thread, one task per connection, requests rendered ahead and patched with their tag.

use crate::check::Checker;
use crate::http::Reader;
use crate::target::Target;
use crate::ticks::Ticks;
use hdrhistogram::Histogram;
use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::{LocalSet, spawn_local};

const BUFFER: usize = 64 * 1024;
const MAX_SAMPLES: usize = 5;
/// Bytes of an error's body that are shown.
const MAX_SAID: usize = 200;
const AFTER_ERROR: Duration = Duration::from_millis(10);
/// Digits of a tag, ahead of its padding.
const TAG_DIGITS: usize = 8;
/// Makes the ~500 bytes of a usual answer out of few pieces.
const TAG_PADDING: &str = "-abcdefghijklmno";
/// What a held stream gets: one event a second for longer than anybody holds it.
const HOLD_EVENTS: u32 = 600;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub prompt_bytes: usize,
    /// Pieces of content in the answer.
    pub pieces: u32,
    pub chunk_delay_ms: u32,
    pub is_stream: bool,
}

impl Ask {
    /// ~500 bytes of answer in a body of ~1 KB.
    pub(crate) const fn whole(prompt_bytes: usize) -> Self {
        Self {
            prompt_bytes,
            pieces: 20,
            chunk_delay_ms: 0,
            is_stream: false,
        }
    }

    pub(crate) const fn stream(pieces: u32, chunk_delay_ms: u32) -> Self {
        Self {
            prompt_bytes: 1_000,
            pieces,
            chunk_delay_ms,
            is_stream: true,
        }
    }

    pub(crate) const fn hold() -> Self {
        Self {
            prompt_bytes: 1_000,
            pieces: HOLD_EVENTS,
            chunk_delay_ms: 1_000,
            is_stream: true,
        }
    }
}

/// A request with a hole for its tag.
#[derive(Debug)]
struct Recipe {
    address: SocketAddr,
    template: Vec<u8>,
    tag_at: usize,
    tag_length: usize,
    ask: Ask,
}

impl Recipe {
    fn new(target: &Target, ask: Ask) -> Self {
        let padding = if ask.is_stream { "" } else { TAG_PADDING };
        let hole = format!("{}{padding}", "#".repeat(TAG_DIGITS));
        let Ask {
            pieces,
            chunk_delay_ms,
            ..
        } = ask;
        let mut prompt =
            format!("SIM:indexed={pieces},chunk_delay_ms={chunk_delay_ms},tag={hole};");
        while prompt.len() < ask.prompt_bytes {
            prompt.push_str(" The letter went by the river and the answer by the pass.");
        }
        let options = if ask.is_stream {
            r#","stream":true,"stream_options":{"include_usage":true}"#
        } else {
            ""
        };
        let body = format!(
            r#"{{"model":"{}","messages":[{{"role":"system","content":"You are terse."}},{{"role":"user","content":"{prompt}"}}],"max_tokens":4096{options}}}"#,
            target.model
        );
        let template = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            target.path,
            target.address,
            target.key,
            body.len()
        );
        Self {
            address: target.address,
            tag_at: template.find(&hole).unwrap_or(0),
            tag_length: hole.len(),
            template: template.into_bytes(),
            ask,
        }
    }
}

/// What all connections count together.
pub(crate) struct Tally {
    pub requests: Cell<u64>,
    pub events: Cell<u64>,
    pub errors: Cell<u64>,
    pub samples: RefCell<Vec<String>>,
    /// From the intended moment to the end of the answer, in microseconds.
    pub latency: RefCell<Histogram<u64>>,
    /// From the intended moment to the first content, in microseconds.
    pub first: RefCell<Histogram<u64>>,
    /// Between contents of one stream, in microseconds.
    pub gap: RefCell<Histogram<u64>>,
    /// Streams that have had their first content.
    pub opened: Cell<u32>,
    is_measuring: Cell<bool>,
    is_stopping: Cell<bool>,
    numbers: Cell<u32>,
    buffer: RefCell<Vec<u8>>,
}

impl Tally {
    pub(crate) fn new() -> Rc<Self> {
        // Three digits, up to an hour: both bounds are within what the histogram takes.
        let histogram =
            || RefCell::new(Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("valid bounds"));
        Rc::new(Self {
            requests: Cell::new(0),
            events: Cell::new(0),
            errors: Cell::new(0),
            samples: RefCell::default(),
            latency: histogram(),
            first: histogram(),
            gap: histogram(),
            opened: Cell::new(0),
            is_measuring: Cell::new(false),
            is_stopping: Cell::new(false),
            numbers: Cell::new(1),
            buffer: RefCell::new(vec![0; BUFFER]),
        })
    }

    pub(crate) fn measure(&self, is_measuring: bool) {
        self.is_measuring.set(is_measuring);
    }

    fn record(&self, histogram: &RefCell<Histogram<u64>>, span: Duration) {
        if self.is_measuring.get() {
            let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
            histogram.borrow_mut().saturating_record(micros.max(1));
        }
    }

    /// Pieces of content came; `last` is when the ones before came.
    fn content(&self, pieces: u32, intended: Instant, last: Option<Instant>, now: Instant) {
        self.events.set(self.events.get() + u64::from(pieces));
        if let Some(last) = last {
            self.record(&self.gap, now - last);
        } else {
            self.record(&self.first, now.saturating_duration_since(intended));
            self.opened.set(self.opened.get() + 1);
        }
    }

    fn number(&self) -> u32 {
        let number = self.numbers.get();
        self.numbers.set(number.wrapping_add(1));
        number
    }

    fn fail(&self, error: String) {
        if self.is_stopping.get() {
            return;
        }
        self.errors.set(self.errors.get() + 1);
        let mut samples = self.samples.borrow_mut();
        if samples.len() < MAX_SAMPLES && !samples.contains(&error) {
            samples.push(error);
        }
    }
}

/// One connection and all it needs.
struct Client {
    recipe: Rc<Recipe>,
    tally: Rc<Tally>,
    stream: Option<TcpStream>,
    reader: Reader,
    checker: Checker,
    request: Vec<u8>,
}

impl Client {
    fn new(recipe: &Rc<Recipe>, tally: &Rc<Tally>) -> Self {
        Self {
            recipe: Rc::clone(recipe),
            tally: Rc::clone(tally),
            stream: None,
            reader: Reader::new(),
            checker: Checker::new(recipe.ask.pieces, recipe.ask.is_stream),
            request: recipe.template.clone(),
        }
    }

    /// One request and its answer, counted and checked.
    async fn exchange(&mut self, intended: Instant) {
        match self.try_exchange(intended).await {
            Ok(()) => {
                self.tally.requests.set(self.tally.requests.get() + 1);
                let tally = Rc::clone(&self.tally);
                tally.record(&tally.latency, intended.elapsed());
            }
            Err(error) => {
                self.stream = None;
                self.tally.fail(error);
                tokio::time::sleep(AFTER_ERROR).await;
            }
        }
    }

    async fn try_exchange(&mut self, intended: Instant) -> Result<(), String> {
        self.patch();
        self.reader.restart();
        self.connect().await.map_err(|error| error.to_string())?;
        let Some(stream) = &mut self.stream else {
            return Err("no connection".to_owned());
        };
        stream
            .write_all(&self.request)
            .await
            .map_err(|error| error.to_string())?;
        let mut last = None;
        let mut head = Vec::new();
        while !self.reader.is_done() {
            let pieces = self.read(&mut head).await?;
            if pieces > 0 {
                let now = Instant::now();
                self.tally.content(pieces, intended, last, now);
                last = Some(now);
            }
        }
        if self.reader.status() != 200 {
            let said = String::from_utf8_lossy(&head);
            return Err(format!("status {}: {said}", self.reader.status()));
        }
        match self.checker.finish() {
            Some(wrong) => Err(wrong.to_owned()),
            None => Ok(()),
        }
    }

    async fn connect(&mut self) -> std::io::Result<()> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.recipe.address).await?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
        }
        Ok(())
    }

    /// One read; returns the pieces of content that were complete in it. `head` collects the
    /// beginning of the body, for an error's message.
    async fn read(&mut self, head: &mut Vec<u8>) -> Result<u32, String> {
        let Some(stream) = &self.stream else {
            return Err("no connection".to_owned());
        };
        stream.readable().await.map_err(|error| error.to_string())?;
        let mut buffer = self.tally.buffer.borrow_mut();
        let read = match stream.try_read(&mut buffer) {
            Ok(0) => return Err("closed before the end".to_owned()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error.to_string()),
        };
        let bytes = buffer.get(..read).unwrap_or_default();
        let checker = &mut self.checker;
        let mut pieces = 0;
        let fed = self.reader.feed(bytes, |body| {
            if head.len() < MAX_SAID {
                head.extend(body.iter().take(MAX_SAID));
            }
            pieces += checker.feed(body);
        });
        fed.map_err(|error| error.to_string())?;
        Ok(pieces)
    }

    /// Puts a new tag into the request.
    fn patch(&mut self) {
        let digits = format!("{:0width$x}", self.tally.number(), width = TAG_DIGITS);
        let at = self.recipe.tag_at;
        if let Some(hole) = self.request.get_mut(at..at + TAG_DIGITS) {
            hole.copy_from_slice(digits.as_bytes());
        }
        let tag = self
            .request
            .get(at..at + self.recipe.tag_length)
            .unwrap_or_default();
        self.checker.restart(tag);
    }
}

/// One right answer, or what came in its place.
pub(crate) async fn probe(target: &Target, ask: Ask) -> Result<(), String> {
    let recipe = Rc::new(Recipe::new(target, ask));
    let mut client = Client::new(&recipe, &Tally::new());
    let answered = client.try_exchange(Instant::now());
    tokio::time::timeout(Duration::from_secs(30), answered)
        .await
        .unwrap_or_else(|_| Err("no answer within 30 s".to_owned()))
}

/// Keeps `connections` busy, each with one request after the other, until the load is dropped.
pub(crate) fn closed(
    set: &LocalSet,
    target: &Target,
    ask: Ask,
    connections: u32,
    tally: &Rc<Tally>,
) {
    let recipe = Rc::new(Recipe::new(target, ask));
    for index in 0..connections {
        let mut client = Client::new(&recipe, tally);
        // Streams begin spread over one delay between chunks, or their chunks come all at once.
        let offset =
            Duration::from_millis(u64::from(ask.chunk_delay_ms)) * index / connections.max(1);
        set.spawn_local(async move {
            tokio::time::sleep(offset).await;
            while !client.tally.is_stopping.get() {
                client.exchange(Instant::now()).await;
            }
        });
    }
}

/// Sends at a constant rate, whatever comes back.
pub(crate) fn open(set: &LocalSet, target: &Target, ask: Ask, rate: u32, tally: &Rc<Tally>) {
    let recipe = Rc::new(Recipe::new(target, ask));
    let tally = Rc::clone(tally);
    set.spawn_local(async move {
        let idle: Rc<RefCell<Vec<Client>>> = Rc::default();
        let mut ticks = Ticks::new(rate);
        while let Some(intended) = ticks.next().await {
            if tally.is_stopping.get() {
                return;
            }
            let taken = idle.borrow_mut().pop();
            let mut client = taken.unwrap_or_else(|| Client::new(&recipe, &tally));
            let idle = Rc::clone(&idle);
            spawn_local(async move {
                client.exchange(intended).await;
                idle.borrow_mut().push(client);
            });
        }
        tally.fail("the generator could not keep the rate".to_owned());
    });
}

/// Opens streams and keeps them. `connections` are opened a few at a time.
pub(crate) fn hold(set: &LocalSet, target: &Target, connections: u32, tally: &Rc<Tally>) {
    let recipe = Rc::new(Recipe::new(target, Ask::hold()));
    let tally = Rc::clone(tally);
    set.spawn_local(async move {
        for index in 0..connections {
            let mut client = Client::new(&recipe, &tally);
            spawn_local(async move { client.exchange(Instant::now()).await });
            if index % 8 == 7 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
}

/// From now on connections end with their request, and nothing counts as an error.
pub(crate) fn stop(tally: &Tally) {
    tally.measure(false);
    tally.is_stopping.set(true);
}
