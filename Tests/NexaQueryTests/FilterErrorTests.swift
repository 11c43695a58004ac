import NexaQuery
import NexaValue
import Testing

@Suite struct FilterErrorTests {
    @Test(
        arguments: [
            ("{a: {$gte2: 1}}", .unknownOperator, "unknown operator $gte2; did you mean $gte?"),
            (
                "{a: {$greater: 1}}", .unknownOperator,
                "unknown operator $greater; known here: $eq $ne $gt $gte $lt $lte $in $nin $exists $regex $options $not "
                    + "$size $all $elemMatch $type $mod"
            ),
            ("{a: {$IN: [1]}}", .unknownOperator, "unknown operator $IN; did you mean $in?"),
            ("{a: {$elemmatch: {}}}", .unknownOperator, "unknown operator $elemmatch; did you mean $elemMatch?"),
            ("{a: {$regx: 'x'}}", .unknownOperator, "unknown operator $regx; did you mean $regex?"),
            ("{$ro: []}", .unknownOperator, "unknown operator $ro; did you mean $or?"),
            ("{$where: 'x'}", .unknownOperator, "unknown operator $where; known here: $and $or $nor $expr $comment"),
            ("{$gt: 5}", .unknownOperator, "$gt needs a field: write {field: {$gt: …}}"),
            ("{$not: {a: 1}}", .unknownOperator, "$not needs a field: write {field: {$not: …}}"),
            ("{a: {$or: [{b: 1}]}}", .unknownOperator, "$or stands beside fields, not in the condition of one"),
            (
                "{a: {$gt: 1, b: 2}}", .invalidOperand,
                "$gt and the field \"b\" cannot stand side by side in one condition"
            ),
            (
                "{a: {b: 2, $gt: 1}}", .invalidOperand,
                "$gt and the field \"b\" cannot stand side by side in one condition"
            ),
            ("{$and: {a: 1}}", .invalidOperand, "$and needs an array of filters, found document"),
            ("{$or: []}", .invalidOperand, "$or needs at least one filter"),
            ("{$nor: [1]}", .invalidOperand, "$nor needs documents in its array, found integer"),
            ("{a: {$in: 'x'}}", .invalidOperand, "$in needs an array, found string"),
            ("{a: {$nin: {b: 1}}}", .invalidOperand, "$nin needs an array, found document"),
            ("{a: {$in: [{$gt: 1}]}}", .invalidOperand, "$in lists values, not operators such as $gt"),
            ("{a: {$all: 1}}", .invalidOperand, "$all needs an array, found integer"),
            ("{a: {$all: [{$gt: 1}]}}", .invalidOperand, "$all takes values or $elemMatch, found $gt"),
            ("{a: {$size: 'x'}}", .invalidOperand, "$size needs a whole number from 0, found string"),
            ("{a: {$size: -1}}", .invalidOperand, "$size needs a whole number from 0, found integer"),
            ("{a: {$size: 1.5}}", .invalidOperand, "$size needs a whole number from 0, found double"),
            ("{a: {$exists: 'yes'}}", .invalidOperand, "$exists needs true or false, found string"),
            ("{a: {$not: 5}}", .invalidOperand, "$not needs a document of operators, found integer"),
            ("{a: {$not: {}}}", .invalidOperand, "$not needs a document of operators, found document"),
            ("{a: {$not: {b: 1}}}", .invalidOperand, "$not needs a document of operators, found document"),
            ("{a: {$elemMatch: 5}}", .invalidOperand, "$elemMatch needs a document, found integer"),
            ("{a: {$mod: 5}}", .invalidOperand, "$mod needs an array [divisor, remainder], found integer"),
            ("{a: {$mod: [1]}}", .invalidOperand, "$mod needs [divisor, remainder], found 1 element(s)"),
            ("{a: {$mod: [0, 1]}}", .invalidOperand, "$mod cannot divide by 0"),
            ("{a: {$mod: [0.5, 1]}}", .invalidOperand, "$mod cannot divide by 0"),
            ("{a: {$mod: ['x', 1]}}", .invalidOperand, "$mod needs two numbers, found string"),
            ("{a: {$mod: [NaN, 1]}}", .invalidOperand, "$mod needs two numbers, found double"),
            (
                "{a: {$type: 'text'}}", .invalidOperand,
                "$type does not know \"text\"; it knows double, string, object, array, binData, bool, date, null, int, "
                    + "timestamp, long, number, extension"
            ),
            ("{a: {$type: 99}}", .invalidOperand, "$type needs the name or number of a kind, found integer"),
            ("{a: {$type: []}}", .invalidOperand, "$type needs at least one kind"),
            ("{a: {$regex: 5}}", .invalidOperand, "$regex needs a string, found integer"),
            ("{a: {$options: 'i'}}", .invalidOperand, "$options needs $regex beside it"),
            ("{a: {$regex: 'x', $options: 5}}", .invalidOperand, "$options needs a string, found integer"),
            (
                "{a: {$regex: 'x', $options: 'iq'}}", .invalidOperand,
                "$options takes the letters i, m, s and x, found \"q\""
            ),
            (
                "{a: {$regex: 'a(b'}}", .invalidPattern,
                "$regex is not a regular expression: missing closing parenthesis at offset 3 of \"a(b\""
            ),
            ("{'a..b': 1}", .invalidPath, "the path \"a..b\" has an empty part"),
            ("{'.a': 1}", .invalidPath, "the path \".a\" has an empty part"),
            ("{'a.': 1}", .invalidPath, "the path \"a.\" has an empty part")
        ] as [(String, QueryError.Code, String)])
    func whatHasNoMeaningIsRefused(filter: String, code: QueryError.Code, message: String) throws {
        let filter = try relaxed(filter)
        let error = QueryError.of { _ = try QueryFilter(compiling: filter) }
        #expect(error == QueryError(code, message))
        // Wherever it stands.
        for outer in [["$or": [.document(filter)]], ["x": ["$elemMatch": ["$and": [.document(filter)]]]]] as [Document]
        {
            #expect(QueryError.of { _ = try QueryFilter(compiling: outer) } == error)
        }
    }

    @Test func onlyMapsAreDocuments() throws {
        let filter = try QueryFilter(compiling: ["a": 1])
        for bytes in [[0x91, 0x01], [], [0x81], [0xC1], [0x81, 0x01, 0x01], [0xDF, 0xFF, 0xFF, 0xFF, 0xFF]] as [[UInt8]]
        {
            let error = QueryError.of { _ = try filter.matches(bytes.span.bytes) }
            // An array at the top is only refused by its missing name, which is an answer, not a fault.
            #expect(error?.code == .corruptDocument || bytes.first == 0x91, "\(bytes)")
        }
    }
}
