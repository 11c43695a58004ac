extension VectorIndex {
    /// Writes one consistent image: to `path` + ".part" first, flushed, then renamed. Searches go on meanwhile; `put`,
    /// `remove` and `link` wait.
    ///
    /// - Parameter tag: the caller's own number, given back by `load`.
    public func save(to path: String, tag: UInt64) throws(VectorError) {
        throw VectorError(.inputOutput, "Images are not written yet", advice: "Build the index anew")
    }

    /// Reads an image back.
    public static func load(from path: String, expecting configuration: Configuration) throws(VectorError)
        -> (index: VectorIndex, tag: UInt64)
    {
        throw VectorError(.corrupted, "Images are not read yet", advice: "Build the index anew")
    }
}
