using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Platform.Local.Sidecar.Resources;

/// <summary>A mapping of a YAML document that knows its file and line, so that whatever is wrong in it can be pointed at.</summary>
internal sealed class YamlMap(string file, YamlMappingNode node)
{
    public string File => file;

    public long Line => node.Start.Line;

    public IEnumerable<string> Keys => node.Children.Keys.OfType<YamlScalarNode>().Select(key => key.Value ?? "");

    /// <summary>True if the key is there, whatever its value.</summary>
    public bool Has(string key) => Find(key) is not null;

    public ResourceException Error(string message) => new(file, Line, message);

    public ResourceException ErrorAt(string key, string message) => new(file, Find(key)?.Start.Line ?? Line, message);

    /// <summary>The line of a key's value; the map's own if the key is absent.</summary>
    public long LineOf(string key) => Find(key)?.Start.Line ?? Line;

    /// <summary>A scalar as text; null if it is absent or null.</summary>
    public string? Text(string key) => Find(key) switch
    {
        null => null,
        YamlScalarNode scalar => IsNull(scalar) ? null : scalar.Value,
        var other => throw new ResourceException(file, other.Start.Line, $"'{key}' is a {other.NodeType}; expected a single value."),
    };

    public string RequiredText(string key) => Text(key) is { Length: > 0 } text ? text : throw Error($"'{key}' is missing.");

    public bool? Flag(string key) => Text(key)?.ToLowerInvariant() switch
    {
        null => null,
        "true" => true,
        "false" => false,
        var other => throw ErrorAt(key, $"'{key}' is '{other}'; expected true or false."),
    };

    public int? Number(string key) => Text(key) switch
    {
        null => null,
        var text when int.TryParse(text, out var number) => number,
        var text => throw ErrorAt(key, $"'{key}' is '{text}'; expected a whole number."),
    };

    /// <summary>A nested map; null if it is absent or null.</summary>
    public YamlMap? Map(string key) => Find(key) switch
    {
        null => null,
        YamlMappingNode map => new YamlMap(file, map),
        YamlScalarNode scalar when IsNull(scalar) => null,
        var other => throw new ResourceException(file, other.Start.Line, $"'{key}' is a {other.NodeType}; expected a map."),
    };

    /// <summary>A list of maps; empty if it is absent or null.</summary>
    public IReadOnlyList<YamlMap> Maps(string key) => [.. Items(key).Select(item => item is YamlMappingNode map
        ? new YamlMap(file, map)
        : throw new ResourceException(file, item.Start.Line, $"an entry of '{key}' is a {item.NodeType}; expected a map."))];

    /// <summary>A list of texts; empty if it is absent or null.</summary>
    public IReadOnlyList<string> Texts(string key) => [.. Items(key).Select(item => item is YamlScalarNode { Value: { } text }
        ? text
        : throw new ResourceException(file, item.Start.Line, $"an entry of '{key}' is a {item.NodeType}; expected a text."))];

    private IEnumerable<YamlNode> Items(string key) => Find(key) switch
    {
        null => [],
        YamlSequenceNode list => list.Children,
        YamlScalarNode scalar when IsNull(scalar) => [],
        var other => throw new ResourceException(file, other.Start.Line, $"'{key}' is a {other.NodeType}; expected a list."),
    };

    private static bool IsNull(YamlScalarNode scalar) => scalar.Style == ScalarStyle.Plain && scalar.Value is null or "" or "~" or "null";

    private YamlNode? Find(string key) => node.Children.TryGetValue(new YamlScalarNode(key), out var value) ? value : null;
}
