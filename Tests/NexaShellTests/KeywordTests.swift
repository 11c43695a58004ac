import TestKit
import Testing

@testable import NexaEngine
@testable import NexaQuery
@testable import NexaShell

/// What completion offers is what the engine knows: the shell has no engine in it, so it has lists of its own.
@Suite struct KeywordTests {
    @Test func completionKnowsEveryOperator() {
        func expect(_ group: KeywordGroup, _ known: [String]) {
            let missing = Set(known).subtracting(group.words).sorted()
            let unknown = Set(group.words).subtracting(known).sorted()
            #expect(missing.isEmpty && unknown.isEmpty, "\(group): missing \(missing), unknown \(unknown)")
            #expect(group.words == group.words.sorted() && Set(group.words).count == group.words.count, "\(group)")
        }
        expect(.logical, FilterCompiler.topLevelOperators)
        expect(.comparison, FilterCompiler.fieldOperators)
        expect(.update, UpdateCompiler.operators)
        expect(.stage, PipelineCompiler.names)
        expect(.accumulator, AccumulatorColumn.names)
        expect(.expression, ExpressionCompiler.operators)
    }

    /// Every variable that is read stands in the manual, and every one in the manual is read.
    @Test func theManualNamesEveryVariable() throws {
        let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        let table = Set(EnvironmentTable.rows.flatMap(\.names))
        #expect(table.isSuperset(of: EnvironmentTable.secrets))
        var files: [String] = [root + "/Sources/NexaClient/NexaConfiguration.swift"]
        func collect(_ folder: String) {
            for name in Files.names(in: folder) {
                let path = folder + "/" + name
                if Files.isFolder(path) { collect(path) } else if name.hasSuffix(".swift") { files.append(path) }
            }
        }
        collect(root + "/Shell/Sources/NexaShell")
        try #require(files.count > 50)
        var read: Set<String> = []
        var texts = ""
        for path in files where !path.hasSuffix("/EnvironmentTable.swift") {
            let text = String(decoding: Files.read(path), as: UTF8.self)
            for match in text.matches(of: /(?:getenv|[eE]nvironment|systemVariable|present)\??[\(\[]"([A-Z_]+)"/) {
                read.insert(String(match.output.1))
            }
            for match in text.matches(of: /"(NEXA(?:DB)?_[A-Z][A-Z_]*)"/) { read.insert(String(match.output.1)) }
            texts += text
        }
        #expect(read.subtracting(table).isEmpty, "not in the manual: \(read.subtracting(table).sorted())")
        for name in table.sorted() { #expect(texts.contains("\"\(name)\"") || EnvironmentTable.secrets.contains(name)) }
    }
}
