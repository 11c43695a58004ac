/// The nearest of many candidates, in a heap with the farthest on top.
struct NearestHeap {
    struct Element {
        var distance: Float
        /// The key of the document.
        var key: [UInt8]
        var document: [UInt8]
    }

    private let capacity: Int
    private var elements: [Element] = []

    init(capacity: Int) { self.capacity = capacity }

    /// Whether a candidate so far away belongs to them.
    func accepts(_ distance: Float) -> Bool {
        guard capacity > 0 else { return false }
        return elements.count < capacity || distance < elements[0].distance
    }

    mutating func insert(_ element: Element) {
        if elements.count < capacity {
            elements.append(element)
            var child = elements.count - 1
            while child > 0, elements[(child - 1) / 2].distance < elements[child].distance {
                elements.swapAt(child, (child - 1) / 2)
                child = (child - 1) / 2
            }
            return
        }
        elements[0] = element
        var parent = 0
        while true {
            var largest = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < elements.count && elements[child].distance > elements[largest].distance {
                largest = child
            }
            if largest == parent { return }
            elements.swapAt(parent, largest)
            parent = largest
        }
    }

    /// Nearest first; of equally near ones in the order of their keys.
    var sorted: [Element] {
        elements.sorted { $0.distance == $1.distance ? $0.key.precedes($1.key) : $0.distance < $1.distance }
    }
}
