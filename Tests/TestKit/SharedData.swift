import Glibc

/// Data sets of `shared/data`, which lies beside the repository (or beside the folder of its worktrees).
///
/// A machine need not have them: a test that uses one is skipped there, and says so.
public enum SharedData {
    /// Where a data set is, or `nil` when it is not on this machine.
    public static func folder(_ name: String) -> String? {
        var parts = #filePath.split(separator: "/").dropLast(3)  // Tests/TestKit/SharedData.swift
        for _ in 0..<2 {
            parts = parts.dropLast()
            let path = "/" + parts.joined(separator: "/") + "/shared/data/" + name
            if access(path, R_OK) == 0 { return path }
        }
        return nil
    }
}
