import Glibc
import NexaTOON
import NexaValue

/// Writes a line to the standard error output.
func say(_ line: String) {
    var bytes = Array((line + "\n").utf8)
    _ = write(2, &bytes, bytes.count)
}

/// Turns lines of JSON into TOON and back, for tests and measurements.
///
/// `nexa-toon encode [tab|pipe]`: each line of JSON becomes a line with the TOON text as a JSON string.
/// `nexa-toon decode`: each line with a TOON text as a JSON string becomes a line of JSON, or `null` and the error.
/// `nexa-toon write FILE.ndjson plain|prompt comma|tab|pipe`: the documents of a file as one text.
/// `nexa-toon estimate`: the estimated tokens of the standard input.
/// `nexa-toon measure FILE.ndjson`: how fast the documents of a file are written and read, and how large they are.
@main
struct Main {
    static func main() {
        var arguments = CommandLine.arguments.dropFirst()
        switch arguments.popFirst() {
        case "encode": encode(arguments.first)
        case "decode": decode()
        case "estimate": estimate()
        case "write": writeFile(Array(arguments))
        case "measure": Measurement(path: arguments.first ?? "").run()
        default:
            say("usage: nexa-toon encode [tab|pipe] | decode | estimate | measure FILE.ndjson")
            say("       nexa-toon write FILE.ndjson plain|prompt comma|tab|pipe")
            exit(2)
        }
    }

    private static func options(_ delimiter: String?) -> TOON.EncodingOptions {
        TOON.EncodingOptions(delimiter: delimiter == "tab" ? .tab : delimiter == "pipe" ? .pipe : .comma)
    }

    private static func estimate() {
        var estimate = TokenEstimate()
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(0, &chunk, chunk.count)
            guard count > 0 else { break }
            estimate.add(chunk.span.bytes.extracting(0..<count))
        }
        print(estimate.count)
    }

    private static func writeFile(_ arguments: [String]) {
        let shape = arguments.dropFirst().first == "prompt" ? TOONShape.prompt : .unchanged
        let values = Measurement(path: arguments.first ?? "").values(shape)
        print((try? TOON.string(values, options(arguments.last))) ?? "", terminator: "")
    }

    private static func encode(_ delimiter: String?) {
        let options = options(delimiter)
        while let line = readLine() {
            do {
                let text = try TOON.string(JSON.decode(line), options)
                print(try JSON.string(.array([.string(text)])))
            } catch {
                print("[null]")
                say("\(error)")
            }
        }
    }

    private static func decode() {
        while let line = readLine() {
            do {
                let text = try JSON.decode(line).array?.first?.string ?? ""
                print(try JSON.string(.array([TOON.decode(text)])))
            } catch {
                print("[]")
                say("\(error)")
            }
        }
    }
}
