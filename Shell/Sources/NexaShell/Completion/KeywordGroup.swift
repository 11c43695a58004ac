/// Groups of words that begin with `$`: what the server knows, by the place where it stands.
enum KeywordGroup: Equatable, Sendable {
    /// At the top of a filter: `$and`, `$or` …
    case logical
    /// Behind a field: `$eq`, `$gt` …
    case comparison
    /// At the top of an update.
    case update
    /// A stage of a pipeline.
    case stage
    /// Within `$group`.
    case accumulator
    /// Within an expression.
    case expression

    var words: [String] {
        switch self {
        case .logical: ["$and", "$expr", "$nor", "$or"]
        case .comparison:
            [
                "$all", "$elemMatch", "$eq", "$exists", "$gt", "$gte", "$in", "$lt", "$lte", "$mod", "$ne", "$nin",
                "$not", "$options", "$regex", "$size", "$type"
            ]
        case .update:
            [
                "$addToSet", "$currentDate", "$inc", "$max", "$min", "$mul", "$pop", "$pull", "$pullAll", "$push",
                "$rename", "$set", "$setOnInsert", "$unset"
            ]
        case .stage:
            [
                "$addFields", "$bucket", "$count", "$facet", "$group", "$limit", "$lookup", "$match", "$merge",
                "$out", "$project", "$replaceRoot", "$replaceWith", "$sample", "$set", "$skip", "$sort", "$sortByCount",
                "$unionWith", "$unset", "$unwind"
            ]
        case .accumulator:
            [
                "$addToSet", "$avg", "$count", "$first", "$last", "$max", "$mergeObjects", "$min", "$push",
                "$stdDevPop", "$stdDevSamp", "$sum"
            ]
        case .expression:
            [
                "$abs", "$add", "$and", "$arrayElemAt", "$ceil", "$concat", "$concatArrays", "$cond", "$convert",
                "$dateAdd", "$dateDiff", "$dateToString", "$dateTrunc", "$dayOfWeek", "$divide", "$eq", "$filter",
                "$first", "$floor", "$gt", "$gte", "$hour", "$ifNull", "$in", "$last", "$let", "$literal", "$lt",
                "$lte", "$map", "$mergeObjects", "$mod", "$month", "$multiply", "$ne", "$not", "$or", "$pow",
                "$range", "$reduce", "$regexMatch", "$round", "$size", "$slice", "$sortArray", "$split", "$sqrt",
                "$strLenCP", "$substrCP", "$subtract", "$sum", "$switch", "$toDate", "$toDouble", "$toInt",
                "$toLower", "$toString", "$toUpper", "$trim", "$trunc", "$year"
            ]
        }
    }
}
