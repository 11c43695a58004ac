import NexaSCRAM
import NexaValue

/// What can be told of an API key: not the key.
public struct APIKeyDescription: Sendable, Hashable {
    /// Its first 15 characters, which name it among the keys of its user.
    public var prefix: String
    /// What its owner calls it.
    public var label: String
    /// Seconds since 1970.
    public var createdAt: Double
    /// Seconds since 1970, since the server was started; `nil` for not.
    public var lastUsed: Double?
}

/// An API key as it is stored: its hash, and what checks a SCRAM login with it.
///
/// One round of SHA-256 is enough here: a key has 256 random bits, so that nobody finds it by guessing.
struct APIKeyRecord: Sendable, Hashable {
    var prefix: String
    var label: String
    var hash: [UInt8]
    var scram: ScramVerifier
    /// Seconds since 1970.
    var createdAt: Double

    /// How every key begins.
    static let marker = "nxdb_"
    /// How much of a key is shown in lists: 60 of its 256 random bits.
    static let prefixLength = 15
    /// The length of a key: the marker and 32 bytes in 43 letters.
    static let length = 48

    /// Makes a key, which is returned here and never again. `nil` when the system has no randomness.
    static func make(label: String, salt: [UInt8], at seconds: Double) -> (key: String, record: APIKeyRecord)? {
        guard let bytes = SystemRandom.bytes(32) else { return nil }
        let key = marker + base64URL(bytes)
        let record = APIKeyRecord(
            prefix: String(key.prefix(prefixLength)), label: label, hash: SHA256.hash(Array(key.utf8)),
            scram: ScramVerifier(password: key, salt: salt), createdAt: seconds)
        return (key, record)
    }

    /// The hash of what may be a key; `nil` for what cannot be one.
    static func hash(of key: String) -> [UInt8]? {
        guard key.utf8.count == length, key.utf8.starts(with: marker.utf8) else { return nil }
        return SHA256.hash(Array(key.utf8))
    }

    /// RFC 4648, section 5, without padding.
    private static func base64URL(_ bytes: [UInt8]) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        var text = ""
        var buffer: UInt32 = 0
        var bits = 0
        for byte in bytes {
            buffer = buffer << 8 | UInt32(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                text.append(letters[Int(buffer >> UInt32(bits)) & 63])
            }
        }
        if bits > 0 { text.append(letters[Int(buffer << UInt32(6 - bits)) & 63]) }
        return text
    }

    private init(prefix: String, label: String, hash: [UInt8], scram: ScramVerifier, createdAt: Double) {
        self.prefix = prefix
        self.label = label
        self.hash = hash
        self.scram = scram
        self.createdAt = createdAt
    }

    var document: Document {
        [
            "prefix": .string(prefix), "label": .string(label), "hash": .bytes(hash),
            "scram": .document(scram.document), "created_at": .double(createdAt)
        ]
    }

    init?(_ document: Document) {
        guard let prefix = document["prefix"]?.string, let hash = document["hash"]?.bytes,
            let scram = document["scram"]?.document.flatMap(ScramVerifier.init)
        else { return nil }
        self.init(
            prefix: prefix, label: document["label"]?.string ?? "", hash: hash, scram: scram,
            createdAt: document["created_at"]?.double ?? 0)
    }
}
