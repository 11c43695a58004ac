import Glibc

/// Certificates of every kind, made by the `openssl` program once for the whole run.
///
/// `ca` is the authority that tests trust; `server`, `expired`, `elsewhere` (another name), `client` are signed by it.
/// `self` signed itself, `stranger` is a client that another authority signed.
public enum TestCertificates {
    private static let made = Result { try Made() }

    private final class Made: Sendable {
        let folder: TemporaryDirectory

        init() throws {
            folder = try TemporaryDirectory()
            try folder.write("make.sh", TestCertificates.script)
            // Removed at the end of the process: a static value is never released.
            TestCertificates.register(folder.path)
            guard system("cd '\(folder.path)' && sh make.sh >log 2>&1") == 0 else {
                throw Problem(description: "openssl: \(folder.read("log") ?? "")")
            }
        }
    }

    /// Why there are none.
    public struct Problem: Error, CustomStringConvertible {
        /// What `openssl` said.
        public let description: String
    }

    nonisolated(unsafe) private static var folderToRemove: String?  // Written once, before the handler can run.

    private static func register(_ path: String) {
        folderToRemove = path
        atexit { if let path = TestCertificates.folderToRemove { Files.remove(path) } }
    }

    /// The path of a file, such as `server.pem` or `server.key`.
    public static func file(_ name: String) throws -> String { try made.get().folder[name] }

    private static let script = """
        set -eu
        key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
        authority() { # name, common name
          key "$1"
          openssl req -x509 -new -key "$1.key" -sha256 -days 30 -subj "/CN=$2" -out "$1.pem" \\
            -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
        }
        certificate() { # name, authority, common name, days, names, purpose
          key "$1"
          openssl req -new -key "$1.key" -subj "/CN=$3" -out "$1.csr"
          printf 'subjectAltName=%s\\nextendedKeyUsage=%s\\nbasicConstraints=CA:FALSE\\n' "$5" "$6" >"$1.ext"
          openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -sha256 -days "$4" -extfile "$1.ext" \\
            -CAcreateserial -out "$1.pem"
        }
        here=DNS:localhost,DNS:db.example,IP:127.0.0.1,IP:::1
        authority ca "Test Authority"
        authority other "Other Authority"
        certificate server ca localhost 30 $here serverAuth
        certificate renewed ca localhost 30 DNS:renewed.example,$here serverAuth
        certificate expired ca localhost -1 $here serverAuth
        certificate elsewhere ca elsewhere.example 30 DNS:elsewhere.example,IP:192.0.2.7 serverAuth
        certificate wildcard ca wild 30 'DNS:*.db.example' serverAuth
        certificate client ca client 30 DNS:client.example clientAuth
        certificate stranger other stranger 30 DNS:stranger.example clientAuth
        key self
        openssl req -x509 -new -key self.key -sha256 -days 30 -subj /CN=localhost -addext subjectAltName=$here -out self.pem
        openssl ec -in server.key -aes128 -passout pass:secret -out locked.key
        cat server.pem server.key >both.pem
        """
}
