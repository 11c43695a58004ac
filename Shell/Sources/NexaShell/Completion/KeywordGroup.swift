/// Groups of words that begin with `$`: what the server knows, by the place where it stands. A test compares them with the
/// engine's own, of which the shell has none in it.
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
        case .logical: ["$and", "$comment", "$expr", "$nor", "$or"]
        case .comparison:
            [
                "$all", "$elemMatch", "$eq", "$exists", "$gt", "$gte", "$in", "$lt", "$lte", "$mod", "$ne", "$nin",
                "$not", "$options", "$regex", "$size", "$type"
            ]
        case .update:
            [
                "$addToSet", "$bit", "$currentDate", "$inc", "$max", "$min", "$mul", "$pop", "$pull", "$pullAll",
                "$push", "$rename", "$set", "$setOnInsert", "$unset"
            ]
        case .stage:
            [
                "$addFields", "$bucket", "$count", "$facet", "$group", "$limit", "$lookup", "$match", "$merge",
                "$out", "$project", "$replaceRoot", "$replaceWith", "$sample", "$set", "$skip", "$sort", "$sortByCount",
                "$unionWith", "$unset", "$unwind", "$vectorSearch"
            ]
        case .accumulator:
            [
                "$addToSet", "$avg", "$count", "$first", "$last", "$max", "$mergeObjects", "$min", "$push",
                "$stdDevPop", "$stdDevSamp", "$sum"
            ]
        case .expression:
            [
                "$abs", "$add", "$allElementsTrue", "$and", "$anyElementTrue", "$arrayElemAt", "$arrayToObject", "$avg",
                "$ceil", "$cmp", "$concat", "$concatArrays", "$cond", "$const", "$convert", "$dateAdd", "$dateDiff",
                "$dateFromParts", "$dateFromString", "$dateSubtract", "$dateToParts", "$dateToString", "$dateTrunc",
                "$dayOfMonth", "$dayOfWeek", "$dayOfYear", "$divide", "$eq", "$exp", "$filter", "$first", "$floor",
                "$getField", "$gt", "$gte", "$hour", "$ifNull", "$in", "$indexOfArray", "$indexOfBytes", "$indexOfCP",
                "$isArray", "$isNumber", "$isoDayOfWeek", "$isoWeek", "$isoWeekYear", "$last", "$let", "$literal",
                "$ln", "$log", "$log10", "$lt", "$lte", "$ltrim", "$map", "$max", "$mergeObjects", "$millisecond",
                "$min", "$minute", "$mod", "$month", "$multiply", "$ne", "$not", "$objectToArray", "$or", "$pow",
                "$range", "$reduce", "$regexFind", "$regexFindAll", "$regexMatch", "$replaceAll", "$replaceOne",
                "$reverseArray", "$round", "$rtrim", "$second", "$setDifference", "$setEquals", "$setField",
                "$setIntersection", "$setIsSubset", "$setUnion", "$size", "$slice", "$sortArray", "$split", "$sqrt",
                "$stdDevPop", "$stdDevSamp", "$strLenBytes", "$strLenCP", "$strcasecmp", "$substr", "$substrBytes",
                "$substrCP", "$subtract", "$sum", "$switch", "$toBool", "$toDate", "$toDouble", "$toInt", "$toLong",
                "$toLower", "$toString", "$toUpper", "$trim", "$trunc", "$type", "$unsetField", "$week", "$year", "$zip"
            ]
        }
    }
}
