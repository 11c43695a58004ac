import Glibc
import NexaClient
import NexaProtocol
import NexaSCRAM
import NexaTLS
import NexaTOON
import NexaTransport
import NexaValue

/// What reads bytes of a peer, a file or a person, with what must hold for every input. A broken promise traps.
public enum FuzzTarget: String, CaseIterable, Sendable {
    case frame, messagepack, rawdocument, request, reply, json, toon, uri, model, scram, tls

    /// Feeds one input. Returns true when the input was accepted as valid, for statistics.
    public func run(_ bytes: [UInt8]) -> Bool {
        switch self {
        case .frame: Self.frame(bytes)
        case .messagepack: Self.messagePack(bytes)
        case .rawdocument: Self.rawDocument(bytes)
        case .request: Self.request(bytes)
        case .reply: Self.reply(bytes)
        case .json: Self.json(bytes)
        case .toon: Self.toon(bytes)
        case .uri: Self.uri(bytes)
        case .model: Self.model(bytes)
        case .scram: Self.scram(bytes)
        case .tls: Self.tls(bytes)
        }
    }

    /// Frames are found, or refused, the same however the bytes are cut.
    private static func frame(_ bytes: [UInt8]) -> Bool {
        let limit = 1 << 16
        let decoder = FrameDecoder(maximumPayloadByteCount: limit)
        var offset = 0
        var found: [Range<Int>] = []
        var refusal: FrameError?
        while refusal == nil {
            do throws(FrameError) {
                guard let frame = try decoder.frame(in: bytes.span.bytes, at: offset) else { break }
                promise(frame.payload.count <= limit, "no frame is above the limit")
                promise(frame.payload.upperBound <= bytes.count, "frames lie within the bytes")
                promise(frame.payload.lowerBound == offset + FrameHeader.byteCount, "a payload follows its head")
                found.append(frame.payload)
                offset = frame.payload.upperBound
            } catch {
                refusal = error
            }
        }
        // Cut in two: the first part finds no more than the whole, and nothing else.
        let cut = bytes.isEmpty ? 0 : Int(bytes[0]) % (bytes.count + 1)
        let head = Array(bytes[..<cut])
        var position = 0
        var index = 0
        while let frame = try? decoder.frame(in: head.span.bytes, at: position) {
            promise(index < found.count && found[index] == frame.payload, "cutting changes nothing")
            position = frame.payload.upperBound
            index += 1
        }
        return !found.isEmpty
    }

    /// What validates also decodes, and encoding it again decodes to the same.
    private static func messagePack(_ bytes: [UInt8]) -> Bool {
        var isValid = true
        do throws(MessagePackError) { try MessagePack.validate(bytes.span.bytes) } catch { isValid = false }
        guard let value = try? MessagePack.decode(bytes) else {
            promise(!isValid, "validated bytes must decode")
            return false
        }
        let again = MessagePack.encode(value)
        promise(again.count <= bytes.count * 2 + 16, "compact encoding does not grow")
        guard let copy = try? MessagePack.decode(again) else { broken("own encoding must decode") }
        promise(MessagePack.encode(copy) == again, "encoding is stable")
        return true
    }

    /// A look-up in the bytes agrees with the decoded document.
    private static func rawDocument(_ bytes: [UInt8]) -> Bool {
        guard let document = try? MessagePack.decodeDocument(bytes), let raw = try? RawDocument(bytes.span.bytes) else {
            // Malformed bytes must not trap either.
            if let raw = try? RawDocument(bytes.span.bytes) { _ = raw.value(at: "a.0.b")?.head }
            return false
        }
        for (key, value) in document.prefix(8) {
            guard let found = raw.value(forKey: key) else { broken("a decoded field is found") }
            _ = (found.head, found.bytes.byteCount, found.text?.byteCount)
            if case .int(let number) = value, case .int(let other)? = found.head, document.count == 1 {
                promise(number == other, "a look-up agrees with the decoded value")
            }
        }
        _ = raw.value(at: "a.b.c.0.1.d")
        return true
    }

    /// A request that decodes encodes to one that decodes to the same.
    private static func request(_ bytes: [UInt8]) -> Bool {
        guard let first = bytes.first else { return false }
        let payload = Array(bytes.dropFirst())
        unpacking(MessageType(rawValue: first), payload)
        guard let request = try? Request(type: MessageType(rawValue: first), payload: payload.span.bytes) else {
            return false
        }
        var writer = MessagePackWriter()
        request.encodeFrame(into: &writer)
        let frame = writer.bytes
        guard let found = try? FrameDecoder().frame(in: frame.span.bytes, at: 0),
            let again = try? Request(
                type: found.header.type, payload: frame.span.bytes.extracting(found.payload))
        else { broken("an own request decodes") }
        var second = MessagePackWriter()
        again.encodeFrame(into: &second)
        // A vector search may hold a signalling NaN, which a processor makes quiet when it widens it.
        if first == MessageType.vectorSearch.rawValue, second.bytes != frame {
            guard let found = try? FrameDecoder().frame(in: second.span, at: 0),
                let quiet = try? Request(type: found.header.type, payload: second.span.extracting(found.payload))
            else { broken("an own request decodes") }
            var third = MessagePackWriter()
            quiet.encodeFrame(into: &third)
            promise(third.bytes == second.bytes, "searches survive the wire but for signalling NaNs")
            return true
        }
        promise(second.bytes == frame, "requests survive the wire")
        return true
    }

    /// With packed vectors, a request is the one with the arrays that they stand for.
    private static func unpacking(_ type: MessageType, _ payload: [UInt8]) {
        var decoder = RequestDecoder()
        decoder.unpacksVectors = true
        let request = try? decoder.decode(type, payload.span.bytes)
        guard let unpacked = try? PackedVector.unpacking(payload.span.bytes) else {
            // Those that look at no payload take any.
            return
        }
        promise(unpacked.count <= 2 * payload.count + 16, "an array takes little more than what it is made of")
        promise((try? PackedVector.unpacking(unpacked.span.bytes)) == unpacked, "nothing is left to unpack")
        // A vector search reads the packed floats itself, and a signalling NaN as it is.
        guard let request, type != .vectorSearch else { return }
        guard let plain = try? Request(type: type, payload: unpacked.span.bytes) else { broken("arrays decode, too") }
        var first = MessagePackWriter()
        request.encodeFrame(into: &first)
        var second = MessagePackWriter()
        plain.encodeFrame(into: &second)
        promise(first.bytes == second.bytes, "packed vectors mean arrays")
    }

    /// What is read, strictly or not, can be written, and reads the same again; errors lie in the text.
    private static func toon(_ bytes: [UInt8]) -> Bool {
        var isValid = false
        let legacy = TOON.DecodingOptions(isStrict: false, acceptsNexaDB3: true)
        for options in [TOON.DecodingOptions.strict, .lenient, legacy] {
            do throws(TOONError) {
                let value = try TOON.decode(bytes, options)
                if options.isStrict { isValid = true }
                for delimiter in TOON.Delimiter.allCases {
                    let encoding = TOON.EncodingOptions(delimiter: delimiter)
                    guard let text = try? TOON.encode(value, encoding) else { broken("decoded values can be written") }
                    guard let again = try? TOON.decode(text) else { broken("an own text is strictly valid") }
                    promise((try? TOON.encode(again, encoding)) == text, "writing is stable")
                }
            } catch {
                promise((0...bytes.count).contains(error.offset), "an error lies in the text")
                promise(error.line >= 1 && error.column >= 1, "an error has a place")
                _ = error.description
            }
        }
        return isValid
    }

    /// What a client reads of a server.
    private static func reply(_ bytes: [UInt8]) -> Bool {
        if let change = try? Reply.Change(bytes) {
            for range in [change.document, change.updates].compactMap({ $0 }) {
                promise(range.upperBound <= bytes.count, "documents of an event lie in the event")
            }
        }
        guard let fields = try? MessagePack.decodeDocument(bytes) else { return false }
        let connected = Reply.Connected(fields)
        var writer = MessagePackWriter()
        connected.encodeFrame(into: &writer)
        return !connected.username.isEmpty
    }

    /// Text that parses prints to text that parses to the same.
    private static func json(_ bytes: [UInt8]) -> Bool {
        guard let value = try? JSON.decode(bytes) else { return false }
        guard let text = try? JSON.string(value) else { return true }  // no JSON for it, such as NaN
        guard let again = try? JSON.decode(text) else { broken("own JSON must parse: \(text)") }
        promise((try? JSON.string(again)) == text, "printing is stable")
        return true
    }

    /// A URI that is accepted prints to one that means the same; one that is refused never shows its password.
    private static func uri(_ bytes: [UInt8]) -> Bool {
        let text = String(decoding: bytes, as: UTF8.self)
        do throws(NexaError) {
            let configuration = try NexaConfiguration(uri: text)
            let printed = configuration.uri
            do throws(NexaError) {
                let again = try NexaConfiguration(uri: printed)
                promise(again.uri == printed, "printing is stable: \(printed)")
            } catch {
                broken("an own URI must be accepted: \(printed): \(error)")
            }
            return true
        } catch {
            _ = error.description
            return false
        }
    }

    private struct Model: Codable {
        struct Line: Codable {
            var name: String
            var total: Int
            var inner: [Line]?
        }
        var id: String?
        var lines: [Line]
        var rates: [String: Double]?
        var flag: Bool?
        var bytes: [UInt8]?
        var free: Value?
        enum CodingKeys: String, CodingKey {
            case id = "_id"
            case lines, rates, flag, bytes, free
        }
    }

    /// Any bytes read as a model end in a model or an error.
    private static func model(_ bytes: [UInt8]) -> Bool {
        guard let document = try? MessagePack.decodeDocument(bytes) else { return false }
        return (try? document.decode(Model.self)) != nil
    }
}

extension FuzzTarget {
    private static let keys = ScramKeys(password: "fuzz", salt: [1, 2, 3], iterations: 4096)
    private static let verifier = ScramVerifier.decoy(for: "fuzz", secret: [1, 2, 3])

    /// Both sides of a login read any messages of the other side, and believe none of them.
    fileprivate static func scram(_ bytes: [UInt8]) -> Bool {
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        func line(_ index: Int) -> String { index < lines.count ? String(lines[index]) : "" }
        var isRead = false
        do throws(ScramError) {
            var server = try ScramServer(clientFirst: line(0))
            promise(!server.username.isEmpty, "a user has a name")
            isRead = true
            _ = server.challenge(verifier, nonce: "server")
            _ = try server.finish(line(2))
            broken("nobody has the password")
        } catch { _ = error.description }
        do throws(ScramError) {
            var client = ScramClient(username: "fuzz", nonce: "fuzz")
            let challenge = try client.challenge(line(1))
            promise(
                (ScramVerifier.minimumIterations...ScramVerifier.maximumIterations).contains(challenge.iterations),
                "no server keeps a client busy")
            isRead = true
            _ = client.proof(challenge, keys: keys)
            try client.verify(line(3))
            broken("the server does not know the password")
        } catch { _ = error.description }
        return isRead
    }

    /// `NEXA_FUZZ_CERTIFICATE` names a file with a certificate and its key; without it the client's side is fed only.
    private static let contexts: (client: TLSContext, server: TLSContext?)? = {
        guard let client = try? TLSContext.client() else { return nil }
        let file = getenv("NEXA_FUZZ_CERTIFICATE").map { String(cString: $0) }
        return (client, file.flatMap { try? TLSContext.server(certificateFile: $0, keyFile: $0) })
    }()

    /// Records of TLS, in pieces, to a server (the first byte is even) or to a client that has said hello: nothing is
    /// established, and what has to be said to the peer does not grow with its input.
    fileprivate static func tls(_ bytes: [UInt8]) -> Bool {
        guard let first = bytes.first, let contexts else { return false }
        let session =
            first & 1 == 0
            ? try? contexts.server?.acceptedConnection()
            : try? contexts.client.connection(
                to: "localhost")
        guard let session else { return false }
        var output: [UInt8] = []
        _ = session.shakeHands()
        session.drain(into: &output)
        let hello = output.count
        var rest = bytes.dropFirst()[...]
        let piece = max(1, Int(first >> 1) * 8)
        var isAnswered = false
        while !rest.isEmpty {
            let part = Array(rest.prefix(piece))
            rest = rest.dropFirst(part.count)
            part.withUnsafeBytes { session.feed($0) }
            let progress = session.shakeHands()
            promise(progress != .done, "nobody has the keys")
            session.drain(into: &output)
            if output.count > hello { isAnswered = true }
            promise(output.count < 64 << 10, "answers stay small")
            if progress == .failed { break }
        }
        promise(!session.isEstablished, "nobody has the keys")
        return isAnswered
    }
}

/// Says which promise was broken, and ends the program: the fuzzer keeps the input.
private func broken(_ what: String) -> Never { fatalError("broken promise: \(what)") }

private func promise(_ holds: Bool, _ what: @autoclosure () -> String) { if !holds { broken(what()) } }
