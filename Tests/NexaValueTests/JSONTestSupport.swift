import NexaValue

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
