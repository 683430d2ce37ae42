//! A plain HTTP/1.1 client that shows everything and hides nothing: no retries, no redirects.

use super::Events;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Mutex;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Sends with one key to one node, over connections that are kept.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    key: String,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

/// An answer that was read as far as it went.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The body ended as HTTP says it must.
    pub(crate) is_whole: bool,
}

/// An answer that is still coming. Dropped, its connection is closed.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    connection: Connection,
}

#[derive(Debug)]
struct Connection {
    _sender: SendRequest<Full<Bytes>>,
    task: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) const CHAT: &str = "/api/v1/chat/completions";

impl Client {
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn new(address: SocketAddr, key: &str) -> Self {
        Self {
            address,
            key: key.to_owned(),
            idle: Mutex::default(),
        }
    }

    /// A request with this client's key.
    pub(crate) fn request(&self, method: Method, path: &str, body: Bytes) -> Request<Full<Bytes>> {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json")
            .body(Full::new(body))
            .expect("a well-formed request")
    }

    pub(crate) fn chat_request(&self, body: &Value) -> Request<Full<Bytes>> {
        self.request(Method::POST, CHAT, Bytes::from(body.to_string()))
    }

    /// Asks for a chat and reads all of the answer. `None`: there was no head.
    pub(crate) async fn try_chat(&self, body: &Value) -> Option<Answer> {
        self.try_send(self.chat_request(body)).await
    }

    pub(crate) async fn chat(&self, body: &Value) -> Answer {
        self.try_chat(body).await.expect("an answer")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = self.request(Method::GET, path, Bytes::new());
        self.try_send(request).await.expect("an answer")
    }

    /// `data` of `GET /generation`.
    pub(crate) async fn generation(&self, id: &str) -> Value {
        let answer = self.get(&format!("/api/v1/generation?id={id}")).await;
        assert_eq!(answer.status, 200, "generation {id}: {}", answer.text());
        answer.json()["data"].clone()
    }

    pub(crate) async fn try_send(&self, request: Request<Full<Bytes>>) -> Option<Answer> {
        let mut sender = self.sender().await?;
        let response = sender.send_request(request).await.ok()?;
        let (head, mut body) = response.into_parts();
        let mut all = BytesMut::new();
        let is_whole = loop {
            match body.frame().await {
                None => break true,
                Some(Err(_)) => break false,
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        all.extend_from_slice(&data);
                    }
                }
            }
        };
        if is_whole {
            self.idle
                .lock()
                .expect("no panic under this lock")
                .push(sender);
        }
        let (status, headers) = (head.status.as_u16(), head.headers);
        Some(Answer {
            status,
            headers,
            body: all.freeze(),
            is_whole,
        })
    }

    /// Sends and returns once the head is there.
    pub(crate) async fn open(&self, body: &Value) -> Live {
        let (mut sender, task) = self.connect().await.expect("the node listens");
        let response = sender
            .send_request(self.chat_request(body))
            .await
            .expect("a head");
        let (head, body) = response.into_parts();
        let connection = Connection {
            _sender: sender,
            task,
        };
        Live {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            connection,
        }
    }

    async fn sender(&self) -> Option<SendRequest<Full<Bytes>>> {
        loop {
            let idle = self.idle.lock().expect("no panic under this lock").pop();
            let Some(mut sender) = idle else { break };
            if sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
        // The connection ends when its sender is dropped.
        self.connect().await.map(|(sender, _)| sender)
    }

    async fn connect(&self) -> Option<(SendRequest<Full<Bytes>>, JoinHandle<()>)> {
        let stream = TcpStream::connect(self.address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        let task = tokio::spawn(async {
            // A connection that breaks is seen by whoever reads from it.
            let _ = connection.await;
        });
        Some((sender, task))
    }
}

impl Live {
    /// The next bytes; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                return Some(data);
            }
        }
    }

    /// Reads on until `count` chunks with content were seen.
    pub(crate) async fn read_chunks(&mut self, count: usize) -> String {
        let mut text = String::new();
        while text.matches("\"content\":\"").count() < count {
            let data = self.next().await.expect("the stream goes on");
            text.push_str(&String::from_utf8_lossy(&data));
        }
        text
    }

    pub(crate) fn id(&self) -> String {
        generation_id(&self.headers)
    }

    pub(crate) fn hang_up(self) {
        drop(self.connection);
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn events(&self) -> Events {
        Events::read(&self.body)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn id(&self) -> String {
        generation_id(&self.headers)
    }

    pub(crate) fn is_stream(&self) -> bool {
        self.header("content-type") == Some("text/event-stream")
    }

    /// What the answer says, streamed or whole; `None` if it is not complete.
    pub(crate) fn complete_text(&self) -> Option<String> {
        if self.status != 200 || !self.is_whole {
            return None;
        }
        if self.is_stream() {
            let events = self.events();
            return events.is_complete().then(|| events.text());
        }
        let body = self.json();
        let choice = body.pointer("/choices/0")?;
        let is_finished = choice["finish_reason"].is_string() && choice["finish_reason"] != "error";
        is_finished.then(|| {
            choice["message"]["content"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
    }
}

fn generation_id(headers: &HeaderMap) -> String {
    let id = headers
        .get("x-generation-id")
        .and_then(|value| value.to_str().ok());
    id.expect("the answer names its generation").to_owned()
}
