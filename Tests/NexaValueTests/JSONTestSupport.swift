import Glibc
import NexaValue

/// Files of `shared/data`, which lies beside the repository (or beside the folder of its worktrees).
enum SharedData {
    static func folder(_ name: String) -> String? {
        var parts = #filePath.split(separator: "/").dropLast(3)
        for _ in 0..<2 {
            parts = parts.dropLast()
            let path = "/" + parts.joined(separator: "/") + "/shared/data/" + name
            if access(path, R_OK) == 0 { return path }
        }
        return nil
    }

    static func files(in path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    static func read(_ path: String) -> [UInt8] {
        guard let file = fopen(path, "rb") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return bytes
    }
}

/// A small random number generator with a seed: https://prng.di.unimi.it/splitmix64.c.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

extension JSON {
    /// The description of the error, or the value when there is none.
    static func fault(_ text: String, _ options: Options = .strict) -> String { fault(Array(text.utf8), options) }

    static func fault(_ bytes: [UInt8], _ options: Options = .strict) -> String {
        do throws(JSONError) {
            return "decoded \(try decode(bytes, options))"
        } catch {
            return error.description
        }
    }
}
