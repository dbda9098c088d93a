"""Made-up documents of configuration, and how they are written as YAML, JSON and TOML (repository.py)."""
import json
import re

from schemas import METHODS

LARGEST_BYTES = 970_000  # A file gets a little larger than planned: 1 MB at most.
DEPTH = 6
POOL_BYTES = 4 << 20
LINE_BYTES = 72  # On average, of texts of several lines.
HOST_BYTES = 36

WORDS = """account address alert amount archive attempt audience backend balance batch billing bucket budget
cache canary capacity catalog channel checkout client cluster column consumer counter country coupon currency
customer deadline delivery deploy device discount display domain driver encoder event experiment export factor
feature feed fetch field filter forecast gateway group handler header history image import index ingest
inventory invoice item job journal label language latency layout ledger level limit listener locale log
loyalty mailbox market message metric mirror model monitor network notice offer order owner page partition
partner password payment peer permission pipeline policy pool price priority producer product profile
promotion proxy queue quota rank rate reader record refund region registry report request response retry
review role rollout route sample schedule schema score search segment sensor server session shard share
shipment signal socket sort source stage stock storage stream subject subscription supplier survey table
target tax team template tenant threshold ticket timeout token topic trace traffic transfer trigger update
upload user vendor version volume voucher wallet warehouse watcher webhook weight window worker writer
zone""".split()
PLACES = ["Zürich", "Kraków", "São Paulo", "Málaga", "東京", "Reykjavík", "Århus", "Genève"]
PLAIN = re.compile(r"[A-Za-z/][\w./@-]*(?:[ :][\w./@-]+)*", re.ASCII)
# Words that YAML, or its older version, takes for something else than texts.
SPECIAL = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


class Pool:
    """Long values, cut out of one long text and one long list."""

    def __init__(self, chance):
        words = WORDS + [f"{chance.getrandbits(48):012x}" for _ in range(len(WORDS) // 8)]
        lines, size = [], 0
        while size < POOL_BYTES:
            lines.append(" ".join(chance.choices(words, k=chance.randint(7, 13))) + ".")
            size += len(lines[-1]) + 1
        self.text = "\n".join(lines)
        self.hosts = [
            f"{chance.choice(WORDS)}-{number:05d}.{chance.choice(WORDS)}.example.com"
            for number in range(POOL_BYTES // HOST_BYTES)]

    def lines(self, chance, size):
        """So many bytes of whole lines, but for the last one."""
        first = chance.randrange(len(self.text) - LARGEST_BYTES - 4 * LINE_BYTES)
        begin = self.text.index("\n", first) + 1
        return self.text[begin:begin + max(size - 1, 1)].rstrip() + "\n"

    def line(self, chance, size):
        return self.lines(chance, size + 1).rstrip().replace("\n", " ")

    def value(self, chance, size, depth):
        """About so many bytes, once they are written at that depth."""
        kind = chance.random()
        if size < 2 * LINE_BYTES or kind < 0.1:
            return self.line(chance, size)
        if kind < 0.2:
            count = size // (HOST_BYTES + 2 * depth)
            first = chance.randrange(len(self.hosts) - count)
            return self.hosts[first:first + count]
        return self.lines(chance, size * LINE_BYTES // (LINE_BYTES + 2 * depth))


class Document:
    """The values of a file, and where they may be changed and stay valid."""

    def __init__(self, chance):
        self.comment = " ".join(chance.choices(WORDS, k=5))
        self.values = {}
        self.numbers = []  # Maps and names: any number from 1024 to 60,000 will do.
        self.texts = []  # Maps, names and depths: any text of several lines will do.
        self.longer = []  # The same, and a list of hosts will do as well.

    def grow(self, chance, pool, size):
        slots = self.texts + self.longer
        parts = min(1 + len(slots) // 4, 1 + size // LINE_BYTES)
        chosen = chance.sample(range(len(slots)), parts)
        for index, part in zip(chosen, divided(chance, size, parts)):
            values, name, depth = slots[index]
            part += len(str(values[name]))
            value = pool.value(chance, part, depth)
            if isinstance(value, list) and index < len(self.texts):
                value = pool.line(chance, part)
            values[name] = value

    def edit(self, chance):
        values, name = chance.choice(self.numbers)
        old = values[name]
        while values[name] == old:
            values[name] = chance.randrange(1024, 60_000)


def divided(chance, total, parts):
    """Positive numbers that add up to the total."""
    if parts < 2:
        return [total]
    cuts = [0, *sorted(chance.sample(range(1, total), parts - 1)), total]
    return [after - before for before, after in zip(cuts, cuts[1:])]


def new_name(chance, taken, join="-".join):
    while True:
        name = join(chance.choices(WORDS, k=2))
        if name in taken:
            name = join([name, str(len(taken))])
        if name not in taken:
            return name


def upper_name(parts):
    return "_".join(parts).upper()


def host(chance):
    return f"{chance.choice(WORDS)}.{chance.choice(WORDS)}.example.com"


def path(chance):
    return "/" + "/".join(chance.choices(WORDS, k=chance.randint(1, 4)))


def short_text(chance):
    kind = chance.randrange(6)
    if kind == 0:
        return f"{chance.randint(1, 90)}{chance.choice(['ms', 's', 'm'])}"
    if kind == 1:
        return f"https://{host(chance)}{path(chance)}"
    if kind == 2:
        return path(chance)
    if kind == 3:
        return chance.choice(PLACES)
    return "-".join(chance.choices(WORDS, k=chance.randint(1, 2)))


def short_value(chance):
    kind = chance.random()
    if kind < 0.4:
        return short_text(chance)
    if kind < 0.7:
        return chance.randrange(10_000)
    if kind < 0.85:
        return chance.random() < 0.5
    if kind < 0.93:
        return chance.randrange(10_000) / 100
    if kind < 0.96:
        return [chance.randrange(1000) for _ in range(chance.randint(1, 6))]
    return chance.choices(WORDS, k=chance.randint(1, 4))


def plain_document(chance, count):
    document = Document(chance)
    fill(chance, document, document.values, count, 0)
    return document


def fill(chance, document, values, count, depth):
    direct = count if count < 4 or depth == DEPTH else chance.randint(1, min(6, count))
    for _ in range(direct):
        name = new_name(chance, values)
        value = values[name] = short_value(chance)
        if type(value) is int:
            document.numbers.append((values, name))
        else:
            document.longer.append((values, name, depth))
    rest = count - direct
    for part in divided(chance, rest, chance.randint(1, min(4, rest))) if rest else []:
        values[name := new_name(chance, values)] = {}
        fill(chance, document, values[name], part, depth + 1)


def service_document(chance, count):
    document = Document(chance)
    values = document.values
    values["name"] = "-".join(chance.choices(WORDS, k=2))
    values["owner"] = f"{chance.choice(WORDS)}@example.com"
    version = f"{chance.randrange(9)}.{chance.randrange(30)}.{chance.randrange(30)}"
    values["image"] = f"registry.example.com/{'/'.join(chance.choices(WORDS, k=2))}:{version}"
    values["port"] = chance.randint(1024, 60_000)
    values["description"] = f"The {chance.choice(WORDS)} {chance.choice(WORDS)}"
    document.numbers.append((values, "port"))
    document.texts.append((values, "description", 0))
    left = count - len(values)
    left -= add_sections(values, left, service_sections(chance), chance)
    left -= add_endpoints(chance, document, chance.randint(0, left // 6))
    flags = chance.randint(0, left // 4)
    add_settings(chance, document, "flags", flags, lambda chance: chance.random() < 0.5)
    add_notes(chance, document, left - flags, "environment", upper_name)
    return document


def service_sections(chance):
    replicas = {"replicas": chance.randint(2, 40)}
    return [
        replicas | {"tier": chance.choice(["critical", "standard", "batch"])},
        {"resources": {
            "cpu": f"{chance.randint(1, 40) * 50}m", "memory": f"{chance.randint(1, 64)}Gi"}},
        {"health": {
            "path": path(chance), "intervalSeconds": chance.randint(1, 120) / 2,
            "failures": chance.randint(1, 10)}},
        {"allowedHosts": sorted({host(chance) for _ in range(4)})},
        {"dependencies": [
            {"name": chance.choice(WORDS), "port": chance.randint(1024, 60_000),
             "optional": chance.random() < 0.5} for _ in range(chance.randint(1, 4))]},
    ]


def add_sections(values, left, sections, chance):
    """Those that still fit; how many keys they are."""
    used = 0
    for section in chance.sample(sections, len(sections)):
        size = leaves(section)
        if used + size <= left:
            values.update(section)
            used += size
    return used


def leaves(value):
    return sum(map(leaves, value.values())) if isinstance(value, dict) else 1


def add_endpoints(chance, document, count):
    endpoints = {}
    for _ in range(count):
        endpoint = endpoints[new_name(chance, endpoints)] = {
            "path": path(chance),
            "methods": chance.sample(METHODS, chance.randint(1, 3)),
            "timeoutMilliseconds": chance.randint(1, 60_000)}
        document.numbers.append((endpoint, "timeoutMilliseconds"))
    if endpoints:
        document.values["endpoints"] = endpoints
    return 3 * count


def add_settings(chance, document, name, count, make, join="-".join):
    settings = {}
    for _ in range(count):
        settings[new_name(chance, settings, join)] = make(chance)
    if settings:
        document.values[name] = settings
    return settings


def add_notes(chance, document, count, name, join):
    """As many settings of that name and annotations; long values may stand in both."""
    notes = count // 4
    settings = add_settings(chance, document, name, count - notes, setting, join)
    annotations = add_settings(chance, document, "annotations", notes, short_text)
    for values in settings, annotations:
        document.texts += [(values, name, 1) for name in values if type(values[name]) is str]


def setting(chance):
    return chance.choice([short_text(chance), chance.randrange(10_000), chance.random() < 0.5])


def database_document(chance, count):
    document = Document(chance)
    values = document.values
    values["engine"] = chance.choice(["postgres", "mysql", "sqlite"])
    values["host"] = host(chance)
    values["port"] = chance.randint(1024, 60_000)
    values["description"] = f"Where {chance.choice(WORDS)} {chance.choice(WORDS)} is kept"
    document.numbers.append((values, "port"))
    document.texts.append((values, "description", 0))
    left = count - len(values)
    pool = {"pool": {"minimum": chance.randint(0, 10), "maximum": chance.randint(10, 1000)}}
    left -= add_sections(values, left, [pool], chance)
    users = chance.randint(0, left // 4)
    add_settings(chance, document, "users", users, user)
    add_notes(chance, document, left - 2 * users, "parameters", "_".join)
    return document


def user(chance):
    return {
        "role": chance.choice(["reader", "writer", "owner"]),
        "schemas": chance.sample(WORDS, chance.randint(1, 3))}


def yaml_text(document):
    lines = [f"# {document.comment}"] if len(document.values) > 2 else []
    add_yaml(lines, document.values, "")
    return "\n".join(lines) + "\n"


def add_yaml(lines, values, indent):
    for name, value in values.items():
        if isinstance(value, dict):
            lines.append(f"{indent}{name}:")
            add_yaml(lines, value, indent + "  ")
        elif isinstance(value, list):
            add_yaml_list(lines, name, value, indent)
        elif isinstance(value, str) and value.endswith("\n"):
            inner = indent + "  "
            lines.append(f"{indent}{name}: |\n{inner}" + value[:-1].replace("\n", "\n" + inner))
        else:
            lines.append(f"{indent}{name}: {yaml_scalar(value)}")


def add_yaml_list(lines, name, items, indent):
    if all(isinstance(item, int) for item in items):
        lines.append(f"{indent}{name}: {items}")
        return
    lines.append(f"{indent}{name}:")
    for item in items:
        if isinstance(item, dict):
            members = ", ".join(f"{key}: {yaml_scalar(value)}" for key, value in item.items())
            lines.append(f"{indent}  - {{ {members} }}")
        else:
            lines.append(f"{indent}  - {yaml_scalar(item)}")


def yaml_scalar(value):
    if isinstance(value, str) and PLAIN.fullmatch(value) and value not in SPECIAL:
        return value
    return json.dumps(value, ensure_ascii=False)


def json_text(document):
    return json.dumps(document.values, indent=2, ensure_ascii=False) + "\n"


def toml_text(document):
    lines = []
    add_toml(lines, document.values, [])
    return "\n".join(lines) + "\n"


def add_toml(lines, values, table):
    for name, value in values.items():
        if isinstance(value, str) and value.endswith("\n"):
            lines.append(f'{name} = """\n{value}"""')
        elif not isinstance(value, dict):
            lines.append(f"{name} = {json.dumps(value, ensure_ascii=False)}")
    for name, value in values.items():
        if isinstance(value, dict):
            lines.append(f"\n[{'.'.join([*table, name])}]")
            add_toml(lines, value, [*table, name])


WRITERS = {"yaml": yaml_text, "json": json_text, "toml": toml_text}
MAKERS = {
    "plain": plain_document, "service": service_document, "database": database_document}
