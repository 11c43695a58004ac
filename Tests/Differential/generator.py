"""Random documents and questions, small enough in their values that they often meet."""
import random

# Any value; mongomock stumbles over paths that lead into scalars, so dotted ones begin with `d` and `e` only.
FIELDS = ["a", "b", "c"]
# For Python True is 1 and False is 0, so those numbers do not occur.
INTEGERS = [-2, -1, 2, 3, 4]
DOUBLES = [0.5, 2.5, -1.5, 3.0]
WORDS = ["a", "b", "ab", "B", "", "x.y", "abc", "Zz"]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, values):
        return values[self.random.randrange(len(values))]

    def chance(self, part):
        return self.random.random() < part

    # Values

    def scalar(self):
        kind = self.random.randrange(10)
        if kind < 4:
            return self.pick(INTEGERS)
        if kind < 5:
            return self.pick(DOUBLES)
        if kind < 8:
            return self.pick(WORDS)
        if kind < 9:
            return self.chance(0.5)
        return None

    def value(self, depth=0):
        kind = self.random.randrange(10)
        if depth >= 2 or kind < 6:
            return self.scalar()
        if kind < 8:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        return self.map(depth + 1)

    def map(self, depth):
        names = self.random.sample(FIELDS, self.random.randrange(1, 3))
        return {name: self.value(depth) for name in names}

    def document(self, number):
        document = {"_id": number}
        for name in FIELDS:
            if self.chance(0.7):
                document[name] = self.value()
        if self.chance(0.8):
            document["d"] = self.map(1)
        if self.chance(0.8):
            document["e"] = [self.map(1) for _ in range(self.random.randrange(4))]
        if self.chance(0.8):
            document["l"] = [self.scalar() for _ in range(self.random.randrange(4))]
        # Numbers and words, for sums and groups.
        for name in ("x", "y"):
            if self.chance(0.8):
                document[name] = self.pick(INTEGERS + DOUBLES)
        document["w"] = self.pick(WORDS[:4])
        # To sort by: of one kind in a document, and no array.
        for name in ("s", "t"):
            if self.chance(0.9):
                document[name] = self.scalar()
        return document

    def documents(self, count=20):
        return [self.document(number) for number in range(count)]

    # Filters

    def path(self):
        kind = self.random.randrange(10)
        if kind < 5:
            return self.pick(FIELDS + ["l", "s"])
        if kind < 7:
            return "d." + self.pick(FIELDS)
        if kind < 9:
            return "e." + self.pick(FIELDS)
        return self.pick(["l.0", "l.1", "e.0." + self.pick(FIELDS)])

    def condition(self, path, depth=0):
        operator = self.pick(
            ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$type", "$regex", "$mod",
             "$all", "$elemMatch", "$not"] + (["$size"] * 3 if path in ("l", "e") else []))
        if operator in ("$eq", "$ne"):
            return {operator: self.value(1)}
        if operator in ("$gt", "$gte", "$lt", "$lte"):
            return {operator: self.pick([self.pick(INTEGERS), 1.5, self.pick(WORDS)])}
        if operator in ("$in", "$nin"):
            return {operator: [self.scalar() for _ in range(self.random.randrange(4))]}
        if operator == "$exists":
            return {operator: self.chance(0.5)}
        if operator == "$type":
            return {operator: self.pick(["string", "object", "array", "bool", "null", "double"])}
        if operator == "$regex":
            return {operator: self.pick(["^a", "b$", "b", "^$", "a|x", "[A-Z]"])}
        if operator == "$mod":
            return {operator: [self.pick([2, 3]), self.pick([0, 1])]}
        if operator == "$size":
            return {operator: self.random.randrange(4)}
        if operator == "$all":
            return {operator: [self.scalar() for _ in range(self.random.randrange(1, 3))]}
        if operator == "$elemMatch":
            if self.chance(0.5):
                return {operator: self.filter(depth + 1, names=FIELDS)}
            return {operator: self.comparison()}
        inner = self.comparison()
        return {"$not": inner}

    def comparison(self):
        condition = {}
        for _ in range(self.random.randrange(1, 3)):
            operator = self.pick(["$gt", "$gte", "$lt", "$lte", "$in", "$ne"])
            if operator == "$in":
                condition[operator] = [self.scalar() for _ in range(3)]
            else:
                condition[operator] = self.pick(INTEGERS)
        return condition

    def filter(self, depth=0, names=None):
        result = {}
        for _ in range(self.random.randrange(1, 3)):
            if depth < 2 and self.chance(0.2):
                operator = self.pick(["$and", "$or", "$nor"])
                result[operator] = [self.filter(depth + 1, names) for _ in range(self.random.randrange(1, 4))]
            else:
                path = self.pick(names) if names else self.path()
                result[path] = self.scalar() if self.chance(0.3) else self.condition(path, depth)
        return result

    def sort(self):
        names = self.random.sample(["s", "t"], self.random.randrange(1, 3))
        return [[name, self.pick([1, -1])] for name in names] + [["_id", self.pick([1, -1])]]

    def slice(self):
        if self.chance(0.6):
            return {"$slice": self.pick([-3, -2, -1, 0, 1, 2, 5])}
        return {"$slice": [self.pick([-3, -1, 0, 1, 2]), self.pick([1, 2, 5])]}

    def projection(self):
        kind = self.random.randrange(5)
        if kind == 0:
            return {}
        if kind > 2:
            return self.operators(kind == 3)
        names = self.random.sample(FIELDS + ["d", "e", "l"], self.random.randrange(1, 3))
        projection = {name: 1 if kind == 1 else 0 for name in names}
        if self.chance(0.3):
            projection["_id"] = 0
        return projection

    def operators(self, slices):
        """A projection with $slice or $elemMatch, by itself or beside fields that are included or left out."""
        projection = {}
        if slices:
            projection[self.pick(["l", "e"])] = self.slice()
        elif self.chance(0.5):
            projection["e"] = {"$elemMatch": self.filter(2, names=FIELDS)}
        else:
            projection["l"] = {"$elemMatch": self.comparison()}
        # By itself $elemMatch is an inclusion, and mongomock takes it for none.
        flag = self.pick([None, 1, 0]) if slices else 1
        if flag is not None:
            projection[self.pick(FIELDS + ["d", "w"])] = flag
        if self.chance(0.3):
            projection["_id"] = 0
        return projection

    # Updates

    def settable(self):
        """A path that $set may make, without conflicts with scalars on the way."""
        return self.pick(FIELDS + ["n", "d." + self.pick(FIELDS), "m.x", "m.y"])

    def update(self):
        update = {}
        used = set()
        for _ in range(self.random.randrange(1, 3)):
            operator = self.pick(
                ["$set", "$unset", "$inc", "$mul", "$min", "$max", "$push", "$addToSet", "$pull", "$pop", "$rename"])
            path = "l" if operator in ("$push", "$addToSet", "$pull", "$pop") else self.settable()
            if operator in ("$inc", "$mul"):
                path = self.pick(["x", "y", "m.z"])
            if operator == "$rename":
                path = self.pick(FIELDS)
            if any(path == other or path.startswith(other + ".") or other.startswith(path + ".") for other in used):
                continue
            used.add(path)
            update.setdefault(operator, {})[path] = self.operand(operator)
        return update or {"$set": {"n": 1}}

    def operand(self, operator):
        if operator == "$unset":
            return ""
        if operator in ("$inc", "$mul"):
            return self.pick([2, -2, 0.5, 3])
        if operator in ("$min", "$max"):
            return self.pick(INTEGERS)
        if operator == "$push":
            if self.chance(0.5):
                return self.scalar()
            push = {"$each": [self.pick(INTEGERS) for _ in range(self.random.randrange(3))]}
            if self.chance(0.3):
                push["$slice"] = self.pick([-2, 2, 3])
            if self.chance(0.3):
                push["$position"] = self.pick([0, 1])
            return push
        if operator == "$addToSet":
            return self.scalar() if self.chance(0.5) else {"$each": [self.scalar() for _ in range(2)]}
        if operator == "$pull":
            return self.scalar() if self.chance(0.6) else {"$gt": self.pick(INTEGERS)}
        if operator == "$pop":
            return self.pick([1, -1])
        if operator == "$rename":
            return self.pick(["r1", "r2"])
        return self.value(1)

    def write(self):
        kind = self.random.randrange(10)
        filter = self.filter() if self.chance(0.7) else {"_id": self.random.randrange(25)}
        if kind < 8:
            return {"cmd": "update", "filter": filter, "update": self.update(), "many": True}
        return {"cmd": "delete", "filter": filter, "many": True}

    # Pipelines

    def number(self):
        """An expression that is a number, null or missing."""
        kind = self.random.randrange(6)
        if kind < 3:
            return self.pick(["$x", "$y", "$_id"])
        if kind < 4:
            return self.pick(INTEGERS)
        operator = self.pick(["$add", "$subtract", "$multiply"])
        return {operator: [self.number(), self.number()]}

    def key(self):
        return self.pick(["$s", "$w", "$x", None, {"$mod": ["$_id", 3]}, {"w": "$w"}])

    def stage(self):
        kind = self.random.randrange(8)
        if kind == 0:
            return [{"$match": self.filter()}]
        if kind == 1:
            return [{"$addFields": {"v": {"$add": [self.number(), 1]}}}]
        if kind == 2:
            return [{"$unwind": {"path": "$l", "preserveNullAndEmptyArrays": self.chance(0.5)}}]
        if kind == 3:
            return [{"$project": {"w": 1, "x": 1, "y": 1, "l": 1, "p": {"$add": [self.number(), 2]}}}]
        if kind == 4:
            return [{"$sort": {"w": self.pick([1, -1]), "_id": 1}}]
        if kind == 5:
            return [{"$sort": {"_id": 1}}, {"$skip": self.random.randrange(4)}]
        if kind == 6:
            return [{"$sort": {"_id": 1}}, {"$limit": self.random.randrange(1, 15)}]
        return [{"$addFields": {"q": {"$cond": [{"$gt": ["$x", 2]}, "$w", self.pick(WORDS)]}}}]

    def pipeline(self):
        stages = []
        for _ in range(self.random.randrange(3)):
            stages += self.stage()
        kind = self.random.randrange(4)
        if kind == 0:
            stages.append({"$count": "n"})
        elif kind < 3:
            group = {"_id": self.key(), "n": {"$sum": 1}}
            for name in self.random.sample(["a", "b", "c"], 2):
                group[name] = {self.pick(["$sum", "$avg", "$min", "$max"]): self.pick(["$x", "$y", self.number()])}
            stages.append({"$group": group})
        elif self.chance(0.3):
            # Not what was grouped: its keys are no _id for everybody.
            return {"cmd": "out", "pipeline": [stage for stage in stages if "$unwind" not in stage] + [{"$out": "o"}]}
        return {"cmd": "aggregate", "pipeline": stages}

    def question(self):
        kind = self.random.randrange(10)
        if kind < 3:
            return self.pipeline()
        if kind < 4:
            return {"cmd": "distinct", "field": self.pick(["s", "w", "l", "d.a", "e.b"]), "filter": self.filter()}
        return {
            "cmd": "find", "filter": self.filter() if self.chance(0.9) else {},
            "sort": self.sort(),
            "skip": self.random.randrange(5) if self.chance(0.2) else 0,
            "limit": self.random.randrange(1, 8) if self.chance(0.2) else 0,
            "projection": self.projection()}
