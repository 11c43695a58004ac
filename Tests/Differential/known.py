"""Where mongomock is known to answer otherwise than MongoDB, with what MongoDB documents."""


def fails(error):
    """Whether mongomock stumbled, instead of refusing the question."""
    return error.startswith(("AttributeError", "TypeError", "KeyError", "IndexError", "NotImplementedError",
                             "OperationFailure: unknown operator", "ValueError", "RecursionError"))


def explains(question, documents, ours, theirs):
    """The reason, if one of those below applies."""
    if question["cmd"] == "aggregate" and ours.get("ok") == [] and theirs.get("ok", [{}])[0].get("n") == 0:
        return ("$group and $count of no documents give none "
                "(https://www.mongodb.com/docs/manual/reference/operator/aggregation/count/); mongomock gives one")
    return next((reason for test, reason in RULES if test(question)), None)


def filters(question):
    """The filter of a question, those of its pipeline and those of its projection."""
    return [question.get("filter", {})] + [
        stage["$match"] for stage in question.get("pipeline", []) if "$match" in stage] + [
        {name: value} for name, value in question.get("projection", {}).items()
        if isinstance(value, dict) and "$elemMatch" in value]


def all_below_an_array(question):
    """{"e.b": {$all: ["a"]}}"""
    return any(operator == "$all" and path.startswith("e.") for path, operator, _ in conditions(filters(question)))


def conditions(value, path=""):
    """All pairs of a path and what is asked of it, those inside of other operators included."""
    if isinstance(value, list):
        for element in value:
            yield from conditions(element, path)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key.startswith("$"):
                yield path, key, inner
                yield from conditions(inner, path)
            else:
                if not isinstance(inner, dict):
                    yield key, "$eq", inner
                yield from conditions(inner, key)


def negates(operator, operand):
    return operator in ("$ne", "$nin", "$not") or (operator == "$exists" and operand is False) or (
        operator in ("$eq", "$all") and operand is None) or (operator == "$in" and None in operand)


def negates_below_an_array(question):
    """{"e.a": {$exists: false}}, {"l.0": {$ne: 1}}, {"e.a": null}"""
    return any(
        negates(operator, operand) and (path.startswith("e.") or path in ("l.0", "l.1"))
        for path, operator, operand in conditions(filters(question)))


def asks_elements_for_what_they_lack(question):
    """{a: {$elemMatch: {b: {$ne: 1}}}}, {l: {$elemMatch: {$nor: [{b: 1}]}}}"""
    return any(
        operator == "$elemMatch" and any(
            inner == "$nor" or negates(inner, value) for _, inner, value in conditions(operand))
        for _, operator, operand in conditions(filters(question)))


def all_of_null(question):
    """{a: {$all: [null]}}"""
    return any(operator == "$all" and None in operand
               for _, operator, operand in conditions(filters(question)))


def compares_elements(question):
    """{a: {$elemMatch: {$gte: 1}}}, where an element is itself an array"""
    return any(operator == "$elemMatch" and any(key.startswith("$") for key in operand)
               for _, operator, operand in conditions(filters(question)))


def divides_elements(question):
    """{a: {$elemMatch: {b: {$mod: [3, 1]}}}}"""
    return any(
        operator == "$elemMatch" and any(inner == "$mod" for _, inner, _ in conditions(operand))
        for _, operator, operand in conditions(filters(question)))


def adds_twice(question):
    """{$addToSet: {l: {$each: [2, 2]}}}"""
    return any("$each" in operand if isinstance(operand, dict) else False
               for operand in question.get("update", {}).get("$addToSet", {}).values())


def renames_to_one_name(question):
    """{$rename: {a: "r", b: "r"}}"""
    names = list(question.get("update", {}).get("$rename", {}).values())
    return len(names) != len(set(names))


def compares_kinds(question):
    """{$max: {a: 2}} where `a` is no number"""
    return any(operator in question.get("update", {}) for operator in ("$min", "$max"))


def equals_an_array(question):
    """{a: []}"""
    return any(operator in ("$eq", "$ne") and isinstance(operand, list)
               for _, operator, operand in conditions(filters(question)))


def slices_from_before_the_beginning(question):
    """{l: {$slice: [-3, 2]}} of two elements"""
    return any(isinstance(value, dict) and isinstance(value.get("$slice"), list) and value["$slice"][0] < 0
               for value in question.get("projection", {}).values())


def only_slices(question):
    """{l: {$slice: 2}}"""
    projection = question.get("projection", {})
    return projection != {} and all(isinstance(value, dict) and "$slice" in value for value in projection.values())


RULES = [
    (only_slices,
     "$slice by itself leaves out no other field "
     "(https://www.mongodb.com/docs/manual/reference/operator/projection/slice/); mongomock takes it for an inclusion"),
    (slices_from_before_the_beginning,
     "$slice begins at the first element when it is to begin before it "
     "(https://www.mongodb.com/docs/manual/reference/operator/projection/slice/); mongomock counts on from the end"),
    (equals_an_array,
     "an array equals a literal array as a whole or by one of its elements "
     "(https://www.mongodb.com/docs/manual/tutorial/query-arrays/); mongomock looks at the whole only"),
    (all_below_an_array,
     "$all means what $and of equalities does, also for a path through an array; mongomock wants one element's array"),
    (adds_twice,
     "$addToSet adds nothing that is there, also of its own $each "
     "(https://www.mongodb.com/docs/manual/reference/operator/update/addToSet/); mongomock adds it twice"),
    (renames_to_one_name,
     "one update cannot change a field twice; mongomock lets the last one win"),
    (compares_kinds,
     "$min and $max compare values of different kinds by the BSON order "
     "(https://www.mongodb.com/docs/manual/reference/operator/update/max/); for mongomock true is 1"),
    (all_of_null,
     "$all means what $and of equalities does, and null equals a missing field "
     "(https://www.mongodb.com/docs/manual/reference/operator/query/all/); mongomock wants the field to be there"),
    (compares_elements,
     "the conditions of $elemMatch are about the elements, not about the elements of those "
     "(https://www.mongodb.com/docs/manual/reference/operator/query/elemMatch/); mongomock goes one level deeper"),
    (divides_elements,
     "$mod holds for a number with that remainder "
     "(https://www.mongodb.com/docs/manual/reference/operator/query/mod/); mongomock does not know it, and inside of "
     "$elemMatch it hides that"),
    (negates_below_an_array,
     "a negated condition holds when no value at the path fulfils it, also when there is none "
     "(https://www.mongodb.com/docs/manual/reference/operator/query/not/); mongomock asks each element"),
    (asks_elements_for_what_they_lack,
     "$elemMatch with fields looks at elements that are documents or arrays only "
     "(https://www.mongodb.com/docs/manual/reference/operator/query/elemMatch/); mongomock takes scalars for empty ones"),
]
