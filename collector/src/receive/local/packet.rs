//! One packet from the socket, with the descriptors that came with it.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use bytes::Bytes;
use rustix::cmsg_space;
use rustix::net::{self, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use spanmill_proto::local::{Header, Kind};
use tokio::net::UnixDatagram;

/// Descriptors taken from one packet; a client sends one, with its hello. The kernel closes what is beyond it.
const DESCRIPTORS_MAX: usize = 2;

pub enum Packet {
    Spans(Bytes),
    /// Who the client is, with the first descriptor that came along.
    Hello(Bytes, Option<OwnedFd>),
    Counters(Bytes),
    Bad,
    End,
}

pub fn receive(connection: &UnixDatagram, buffer: &mut [u8]) -> io::Result<Packet> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    // TRUNC: the length is that of the packet, also where it is larger than the buffer.
    let flags = RecvFlags::TRUNC | RecvFlags::CMSG_CLOEXEC;
    let received = net::recvmsg(connection, &mut [IoSliceMut::new(buffer)], &mut control, flags)?;
    // Descriptors that nobody asked for are closed when this is dropped.
    let mut descriptors: Vec<OwnedFd> = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    if received.bytes == 0 {
        return Ok(Packet::End);
    }
    let Some(packet) = buffer.get(..received.bytes) else { return Ok(Packet::Bad) };
    let Ok((header, payload)) = Header::decode(packet) else { return Ok(Packet::Bad) };
    let payload = Bytes::copy_from_slice(payload);
    Ok(match header.kind {
        Kind::Spans => Packet::Spans(payload),
        Kind::Hello => Packet::Hello(payload, descriptors.into_iter().next()),
        Kind::Counters => Packet::Counters(payload),
    })
}
