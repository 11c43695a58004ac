import Glibc

/// Memory for ids: each a length in two bytes, then the bytes, rounded up to a multiple of 8. It never moves while the
/// id is in use, and is used again for ids of about the same length.
struct IDArena {
    private var chunks: [UnsafeMutableRawPointer] = []
    private var used = 0
    private var capacity = 0
    /// The first free piece of each length, in multiples of 8; each points to the next.
    private var pieces = [UnsafeMutableRawPointer?](repeating: nil, count: 130)
    /// Bytes taken from the system.
    private(set) var size = 0

    static let limit = 1025

    private static func steps(_ count: Int) -> Int { (count + 2 + 7) / 8 }

    /// A copy of an id; `nil` when there is no memory.
    mutating func copy(_ id: UnsafeBufferPointer<UInt8>) -> UnsafeMutablePointer<UInt8>? {
        let steps = Self.steps(id.count)
        let piece: UnsafeMutableRawPointer
        if let free = pieces[steps] {
            pieces[steps] = free.load(as: UnsafeMutableRawPointer?.self)
            piece = free
        } else {
            if used + 8 * steps > capacity {
                let bytes = chunks.isEmpty ? 4096 : 65536
                guard let chunk = malloc(bytes) else { return nil }
                chunks.append(chunk)
                (used, capacity) = (0, bytes)
                size += bytes
            }
            piece = chunks[chunks.count - 1] + used
            used += 8 * steps
        }
        piece.storeBytes(of: UInt16(id.count), as: UInt16.self)
        if let start = id.baseAddress { (piece + 2).copyMemory(from: start, byteCount: id.count) }
        return piece.assumingMemoryBound(to: UInt8.self)
    }

    /// Takes an id's memory back.
    mutating func free(_ id: UnsafeMutablePointer<UInt8>) {
        let piece = UnsafeMutableRawPointer(id)
        let steps = Self.steps(Int(piece.load(as: UInt16.self)))
        piece.storeBytes(of: pieces[steps], as: UnsafeMutableRawPointer?.self)
        pieces[steps] = piece
    }

    /// Gives everything back to the system; nothing of it may be in use.
    mutating func freeAll() {
        for chunk in chunks { Glibc.free(chunk) }
        chunks = []
    }
}
