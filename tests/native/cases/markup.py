"""Deeply nested markup: lxml, xml of the standard library, Beautiful Soup, html5lib, PyYAML, Jinja."""

from case import CPYTHON, as_deep, case, pypi
from journal import deepest, step

LXML = pypi("lxml")
SOUP = pypi("beautifulsoup4", "lxml", "html5lib")
YAML = pypi("pyyaml")
JINJA = pypi("jinja2")

XSL = '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">%s</xsl:stylesheet>'
COUNT_DOWN = (
    XSL
    % """
    <xsl:param name="depth"/>
    <xsl:template match="/"><r><xsl:call-template name="count"><xsl:with-param name="n" select="$depth"/></xsl:call-template></r></xsl:template>
    <xsl:template name="count"><xsl:param name="n"/>
        <xsl:choose>
            <xsl:when test="$n &gt; 0"><xsl:call-template name="count"><xsl:with-param name="n" select="$n - 1"/></xsl:call-template></xsl:when>
            <xsl:otherwise>end</xsl:otherwise>
        </xsl:choose>
    </xsl:template>"""
)
ENDLESS = (
    XSL % '<xsl:template match="/"><r><xsl:call-template name="again"/></r></xsl:template>'
    '<xsl:template name="again"><a><xsl:call-template name="again"/></a></xsl:template>'
)
COPY = (
    XSL
    % '<xsl:template match="@*|node()"><xsl:copy><xsl:apply-templates select="@*|node()"/></xsl:copy></xsl:template>'
)
RELAX_NG = """<grammar xmlns="http://relaxng.org/ns/structure/1.0"><start><ref name="a"/></start>
    <define name="a"><element name="a"><optional><ref name="a"/></optional></element></define></grammar>"""
SCHEMA = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a"><xs:complexType><xs:sequence>
    <xs:element ref="a" minOccurs="0"/></xs:sequence></xs:complexType></xs:element></xs:schema>"""


def nested_text(depth):
    return "<a>" * depth + "</a>" * depth


def nested_tree(etree, depth):
    root = element = etree.Element("a")
    for _ in range(depth - 1):
        element = etree.SubElement(element, "a")
    return root


@case(LXML, same=as_deep, fast=True)
def xslt_recursive_template():
    """A template calls itself, to libxslt's limit."""
    from lxml import etree

    transform = etree.XSLT(etree.XML(COUNT_DOWN))
    document = etree.XML("<a/>")

    def count(depth):
        assert str(transform(document, depth=str(depth))).endswith("<r>end</r>\n")

    return deepest(count, 5000, etree.XSLTApplyError, AssertionError)


@case(LXML)
def xslt_without_end():
    """A template that calls itself without end is an error."""
    from lxml import etree

    try:
        return str(etree.XSLT(etree.XML(ENDLESS))(etree.XML("<a/>")))
    except etree.XSLTApplyError as error:
        return type(error).__name__


@case(LXML, same=as_deep)
def xslt_of_nested_trees():
    """A stylesheet that copies, on trees nested up to 2,900 deep."""
    from lxml import etree

    transform = etree.XSLT(etree.XML(COPY))

    def copy(depth):
        assert len(str(transform(nested_tree(etree, depth)))) > 3 * depth

    return deepest(copy, 2900, etree.XSLTApplyError, AssertionError)


@case(LXML, same=as_deep)
def xslt_calls_python():
    """A function in Python that a stylesheet calls transforms with that stylesheet, up to 100 deep."""
    from lxml import etree

    document = etree.XML("<a/>")
    sheet = XSL.replace("version=", 'xmlns:p="urn:p" exclude-result-prefixes="p" version=') % (
        '<xsl:param name="depth"/><xsl:template match="/"><r><xsl:value-of select="p:again($depth)"/></r></xsl:template>'
    )

    def again(context, depth):
        return "end" if depth < 1 else str(transform(document, depth=str(int(depth) - 1)))

    transform = etree.XSLT(etree.XML(sheet), extensions={("urn:p", "again"): again})

    def run(depth):
        assert "end" in str(transform(document, depth=str(depth)))

    return deepest(run, 100, etree.XSLTError)


@case(LXML, same=as_deep, fast=True)
def huge_tree():
    """Trees nested as deep as libxml2 parses with huge_tree are parsed, written and walked."""
    from lxml import etree

    def parse(depth):
        root = etree.fromstring(nested_text(depth), etree.XMLParser(huge_tree=True))
        assert sum(1 for _ in root.iter()) == depth and len(etree.tostring(root)) > 3 * depth

    return deepest(parse, 5000, etree.XMLSyntaxError)


@case(LXML, same=as_deep)
def copies_of_trees():
    """deepcopy() and tostring() of trees of elements nested up to 10,000 deep."""
    import copy

    from lxml import etree

    def use(depth):
        root = nested_tree(etree, depth)
        assert len(etree.tostring(copy.deepcopy(root))) > 3 * depth

    return deepest(use, 10_000, etree.LxmlError)


@case(LXML, same=as_deep)
def canonical_trees():
    """Canonical XML, pretty printing and XPath of trees of elements nested up to 5,000 deep."""
    from lxml import etree

    def use(depth):
        root = nested_tree(etree, depth)
        assert etree.tostring(root, method="c14n") and root.xpath("count(//a)") == depth
        etree.indent(root)
        assert len(etree.tostring(root, pretty_print=True)) > 3 * depth

    return deepest(use, 5000, etree.LxmlError)


@case(LXML, same=as_deep)
def relax_ng():
    """A recursive Relax NG schema, on trees nested up to 2,000 deep."""
    from lxml import etree

    schema = etree.RelaxNG(etree.XML(RELAX_NG))
    return deepest(lambda depth: schema.assertValid(nested_tree(etree, depth)), 2000, etree.DocumentInvalid)


@case(LXML, same=as_deep)
def xml_schema():
    """A recursive XML Schema, on trees nested up to 2,000 deep."""
    from lxml import etree

    schema = etree.XMLSchema(etree.XML(SCHEMA))
    return deepest(lambda depth: schema.assertValid(nested_tree(etree, depth)), 2000, etree.DocumentInvalid)


@case(LXML, same=as_deep)
def xpath_in_parentheses():
    """XPath expressions in parentheses, as deep as libxml2 takes them."""
    from lxml import etree

    document = etree.XML("<a/>")
    return deepest(lambda depth: document.xpath("(" * depth + "1" + ")" * depth), 10_000, etree.XPathError)


@case(LXML)
def html():
    """Broken HTML with 5,000 open elements is parsed, cleaned by XPath and written."""
    from lxml import html

    root = html.fromstring("<div><b>" * 2500 + "text" + "</i></b>" * 100)
    return [len(html.tostring(root)), len(root.xpath("//b")), root.text_content()]


@case(SOUP, same=as_deep)
def soup_with_lxml():
    """Documents nested up to 3,000 deep, by lxml: parsed, searched and written."""
    return deepest(lambda depth: use_soup("lxml", depth), 3000)


@case(SOUP, same=as_deep)
def soup_with_html5lib():
    """Documents nested up to 1,000 deep, by html5lib: parsed, searched and written."""
    return deepest(lambda depth: use_soup("html5lib", depth), 1000)


@case(SOUP, same=as_deep)
def soup_with_html_parser():
    """Documents nested up to 1,000 deep, by html.parser: parsed, searched, copied and written."""
    return deepest(lambda depth: use_soup("html.parser", depth), 1000)


def use_soup(parser, depth):
    import copy

    from bs4 import BeautifulSoup

    soup = BeautifulSoup("<div>" * depth + "text" + "</div>" * depth, parser)
    assert soup.find(string="text") and len(str(soup)) > depth and soup.select("div div") is not None
    assert copy.copy(soup).get_text() == "text"


@case(CPYTHON, same=as_deep)
def element_tree():
    """xml.etree: nested as deep as it goes, up to 20,000: parsed, written, copied and searched."""
    import copy
    from xml.etree import ElementTree

    def use(depth):
        root = ElementTree.fromstring(nested_text(depth))
        assert sum(1 for _ in root.iter()) == depth
        assert copy.deepcopy(root) is not None and len(ElementTree.tostring(root)) > 3 * depth

    return deepest(use, 20_000)


@case(CPYTHON, same=as_deep)
def dom_and_sax():
    """xml.dom.minidom and xml.sax: nested as deep as they go, up to 20,000."""
    import xml.dom.minidom
    import xml.sax

    def use(depth):
        xml.sax.parseString(nested_text(depth), xml.sax.ContentHandler())
        with xml.dom.minidom.parseString(nested_text(depth)) as document:
            assert document.toxml()

    return deepest(use, 20_000)


@case(YAML, same=as_deep)
def c_loader():
    """Sequences in sequences, by the loader in C, as deep as it goes."""
    import yaml

    def load(depth):
        assert yaml.load("[" * depth + "]" * depth, yaml.CSafeLoader) is not None

    return deepest(load, 20_000, yaml.YAMLError)


@case(YAML, same=as_deep)
def c_parser():
    """The events and nodes of nested mappings, by the parser in C."""
    import yaml

    def compose(depth):
        assert yaml.compose("{a: " * depth + "1" + "}" * depth, yaml.CSafeLoader)

    return deepest(compose, 20_000, yaml.YAMLError)


@case(YAML, same=as_deep)
def c_dumper():
    """Lists in lists, by the dumper in C, as deep as it goes."""
    import yaml

    def dump(depth):
        value = 1
        for _ in range(depth):
            value = [value]
        assert yaml.dump(value, Dumper=yaml.CSafeDumper, default_flow_style=True)

    return deepest(dump, 20_000, yaml.YAMLError)


@case(JINJA, same=as_deep)
def expressions_in_templates():
    """Templates with nested expressions are compiled and rendered, as deep as they go."""
    import jinja2

    def render(depth):
        assert jinja2.Template("{{ " + "(1+" * depth + "1" + ")" * depth + " }}").render() == str(1 + depth)

    return deepest(render, 3000, jinja2.TemplateError, MemoryError, SyntaxError)


@case(JINJA, same=as_deep)
def recursive_loops_and_macros():
    """A recursive loop and a macro that calls itself, as deep as they go."""
    import jinja2

    loop = jinja2.Template("{% for x in data recursive %}a{{ loop(x) }}{% endfor %}")
    macro = jinja2.Template("{% macro f(n) %}{% if n %}a{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(n) }}")

    def render(depth):
        data = []
        for _ in range(depth):
            data = [data]
        assert len(loop.render(data=data)) == len(macro.render(n=depth)) == depth

    return deepest(render, 3000)


@case(JINJA)
def inheritance():
    """Templates that extend and include each other, 100 deep, in the sandbox."""
    import jinja2.sandbox

    sources = {"0": "{% block b %}base{% endblock %}"}
    for i in range(1, 100):
        sources[str(i)] = f"{{% extends '{i - 1}' %}}{{% block b %}}{i}{{{{ super() }}}}{{% endblock %}}"
    for i in range(100):
        sources[f"i{i}"] = f"{{% include 'i{i - 1}' %}}a" if i else "a"
    step("compile")
    environment = jinja2.sandbox.SandboxedEnvironment(loader=jinja2.DictLoader(sources))
    return [environment.get_template(name).render() for name in ("99", "i99")]
