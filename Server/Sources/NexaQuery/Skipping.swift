import NexaValue

/// Moving over encoded values, the work that a filter spends most of its time on.
///
/// The short forms that nearly all fields have are passed over here with one look at the first byte; everything else
/// is left to `MessagePackReader`.
extension RawSpan {
    /// The offset behind the value at an offset.
    @inline(__always) func endOfValue(at offset: Int) throws(MessagePackError) -> Int {
        guard offset < byteCount else { throw MessagePackError(.truncated, at: offset) }
        let tag = unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
        let end: Int
        if tag < 0x80 || tag >= 0xE0 {  // a small integer
            end = offset &+ 1
        } else if tag & 0xE0 == 0xA0 {  // a string below 32 bytes
            end = offset &+ 1 &+ Int(tag & 0x1F)
        } else if tag == 0xD9, offset &+ 1 < byteCount {  // a string below 256 bytes
            end = offset &+ 2 &+ Int(unsafe unsafeLoad(fromByteOffset: offset &+ 1, as: UInt8.self))
        } else {
            switch tag {
            case 0xC0, 0xC2, 0xC3: end = offset &+ 1
            case 0xCC, 0xD0: end = offset &+ 2
            case 0xCD, 0xD1: end = offset &+ 3
            case 0xCA, 0xCE, 0xD2: end = offset &+ 5
            case 0xCB, 0xCF, 0xD3: end = offset &+ 9
            default: return try endOfLongValue(at: offset)
            }
        }
        guard end <= byteCount else { throw MessagePackError(.truncated, at: offset) }
        return end
    }

    @inline(never) private func endOfLongValue(at offset: Int) throws(MessagePackError) -> Int {
        var reader = MessagePackReader(self, at: offset)
        try reader.skip()
        return reader.position
    }

    /// The offset behind the map key at an offset; `length` bytes before it the name begins.
    @inline(__always) func endOfKey(at offset: Int, length: inout Int) throws(MessagePackError) -> Int {
        if offset < byteCount {
            let tag = unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
            length = Int(tag & 0x1F)
            if tag & 0xE0 == 0xA0, offset &+ 1 &+ length <= byteCount { return offset &+ 1 &+ length }
        }
        return try endOfLongKey(at: offset, length: &length)
    }

    @inline(never) private func endOfLongKey(at offset: Int, length: inout Int) throws(MessagePackError) -> Int {
        var reader = MessagePackReader(self, at: offset)
        length = try reader.readKey().byteCount
        return reader.position
    }

    /// The offset of the value of a field, among `count` fields that begin at an offset; `nil` when it is not there.
    @inline(__always)
    func value(of name: FieldPath.Part, at first: Int, count: Int) throws(MessagePackError) -> Int? {
        var position = first
        var length = 0
        for _ in 0..<count {
            position = try endOfKey(at: position, length: &length)
            let start = position &- length
            if name.equals(self, at: start, count: length, prefix: prefixWord(at: start, count: length)) {
                return position
            }
            position = try endOfValue(at: position)
        }
        return nil
    }
}
