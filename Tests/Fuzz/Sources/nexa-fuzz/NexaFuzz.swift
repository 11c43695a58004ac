import CFuzzer
import FuzzTargets
import Glibc

/// `nexa-fuzz TARGET CORPUS [--runs N] [--seed S]` mutates the files of a corpus; with `--libfuzzer ARGS…` instead, in a
/// build with `--sanitize=fuzzer`, LLVM's libFuzzer explores by coverage.
@main struct NexaFuzz {
    static func main() {
        var arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.count >= 2, let target = FuzzTarget(rawValue: arguments[0]) else {
            fail(
                "usage: nexa-fuzz \(FuzzTarget.allCases.map(\.rawValue).joined(separator: "|")) CORPUS [--runs N] [--seed S]"
            )
        }
        let corpus = arguments[1]
        arguments.removeFirst(2)
        if arguments.first == "--libfuzzer" { explore(target, corpus, Array(arguments.dropFirst())) }
        var runs = 100_000
        var seed = UInt64.random(in: .min ... .max)
        while arguments.count >= 2 {
            guard let number = UInt64(arguments[1]) else { fail("\(arguments[0]) needs a number") }
            switch arguments[0] {
            case "--runs": runs = Int(clamping: number)
            case "--seed": seed = number
            default: fail("unknown option \(arguments[0])")
            }
            arguments.removeFirst(2)
        }
        run(target, corpus, runs, seed)
    }

    private static func fail(_ message: String) -> Never {
        let line = Array((message + "\n").utf8)
        _ = write(2, line, line.count)
        exit(2)
    }

    // MARK: Own mutations

    private static func run(_ target: FuzzTarget, _ corpus: String, _ runs: Int, _ seed: UInt64) {
        reportInputWhenTrapped()
        var inputs = files(corpus)
        if inputs.isEmpty { inputs = [[]] }
        var accepted = inputs.count { target.run($0) }
        var mutator = Mutator(seed: seed)
        print("\(target.rawValue): \(inputs.count) inputs of the corpus, seed \(seed)")
        let before = nexa_allocated_bytes()
        var peak = before
        var longest = 0
        // After a tenth of the inputs every cache is as large as it gets.
        var resident = (early: 0, middle: 0)
        let start = ContinuousClock.now
        for number in 0..<runs {
            if number == runs / 10 { resident.early = residentKiB() }
            if number == runs / 2 { resident.middle = residentKiB() }
            let input = inputs[Int(mutator.next() % UInt64(inputs.count))]
            let other = inputs[Int(mutator.next() % UInt64(inputs.count))]
            let bytes = mutator.mutate(input, with: other, maximumLength: 4096)
            longest = max(longest, bytes.count)
            last = bytes
            if target.run(bytes) {
                accepted += 1
                // Mutations of mutations go further than those of the corpus alone.
                if number & 0xFFF == 0 { inputs[Int(mutator.next() % UInt64(inputs.count))] = bytes }
            }
            if number & 0xFFFF == 0 { peak = max(peak, nexa_allocated_bytes()) }
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let last = residentKiB()
        print(
            "\(target.rawValue): \(runs) inputs of at most \(longest) bytes in \(Int(seconds.rounded())) s, "
                + "\(Int(Double(runs) / max(seconds, 0.001))) a second, \(accepted) of them valid; memory held between inputs "
                + "grew by \((peak - min(peak, before)) >> 10) KiB; resident \(resident.early) KiB after a tenth of them, "
                + "\(resident.middle) in the middle, \(last) at the end"
        )
        guard last - resident.early <= residentGrowth else {
            fail("\(target.rawValue), seed \(seed): the memory grew by more than \(residentGrowth) KiB")
        }
    }

    /// How much more memory may be resident at the end than after a tenth of the inputs, in KiB.
    private static let residentGrowth = 16 << 10

    private static func residentKiB() -> Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = fread(&bytes, 1, bytes.count, file)
        let words = String(decoding: bytes[..<count], as: UTF8.self).split(separator: " ")
        return words.count > 1 ? (Int(words[1]) ?? 0) * 4 : 0
    }

    // The input at hand, for the handler of the signal that a broken promise ends in.
    nonisolated(unsafe) private static var last: [UInt8] = []

    /// Prints the input as Swift bytes and lets the program end.
    private static func reportInputWhenTrapped() {
        signal(SIGILL) { number in
            let text = "input: [" + NexaFuzz.last.map { "\($0)" }.joined(separator: ", ") + "]\n"
            let line = Array(text.utf8)
            _ = write(1, line, line.count)
            signal(number, SIG_DFL)
        }
    }

    private static func files(_ folder: String) -> [[UInt8]] {
        guard let handle = opendir(folder) else { fail("the corpus \(folder) cannot be read") }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted().compactMap { name in
            guard let file = fopen("\(folder)/\(name)", "r") else { return nil }
            defer { fclose(file) }
            var bytes = [UInt8](repeating: 0, count: 1 << 16)
            let count = fread(&bytes, 1, bytes.count, file)
            return Array(bytes[..<count])
        }
    }

    // MARK: libFuzzer

    // Set once before libFuzzer starts, whose callback takes no context.
    nonisolated(unsafe) private static var current = FuzzTarget.frame

    private static func explore(_ target: FuzzTarget, _ corpus: String, _ options: [String]) -> Never {
        current = target
        var arguments: [UnsafeMutablePointer<CChar>?] = (["nexa-fuzz"] + options + [corpus]).map { strdup($0) }
        arguments.append(nil)
        let status = nexa_libfuzzer_run(CInt(arguments.count - 1), &arguments) { data, size in
            _ = NexaFuzz.current.run(Array(UnsafeBufferPointer(start: data, count: data == nil ? 0 : size)))
            return 0
        }
        if status == -1 { fail("build with --sanitize=fuzzer to explore by coverage") }
        exit(status)
    }
}
