import NexaValue

extension ExpressionFunction {
    static let strings: [ExpressionFunction] = []
    static let stringSearch: [ExpressionFunction] = []
    static let types: [ExpressionFunction] = []
    static let dateArithmetic: [ExpressionFunction] = []
    static let convert = ExpressionFunction("$convert", .named(.convert)) { (_, _) throws(QueryError) in nil }
}
struct ExpressionSearch: Sendable {
    let name: String, input: ExpressionNode, pattern: ExpressionNode, options: ExpressionNode, compiled: Pattern?
    func result(_ input: Value?, _ pattern: Value?, _ options: Value?, _ context: inout ExpressionContext) throws(QueryError) -> Value? { nil }
}
extension Double { var shortText: String { "\(self)" } }
