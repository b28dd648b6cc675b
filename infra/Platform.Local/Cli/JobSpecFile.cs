using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Platform.Jobs;
using Platform.Jobs.Schemas;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Platform.Local.Cli;

/// <summary>A job spec from a file: JSON, or YAML with the same members.</summary>
internal static class JobSpecFile
{
    /// <exception cref="PlatformException">It cannot be read, or is no job spec; the message says where.</exception>
    public static JobSpec Read(FileInfo file)
    {
        try
        {
            var text = File.ReadAllText(file.FullName);
            var isYaml = file.Extension is ".yaml" or ".yml";
            var (spec, faults) = Parse(text, isYaml);
            return faults.Count == 0 ? spec : throw new PlatformException($"{file} is not a job spec:\n{string.Join('\n', faults.Select(fault => $"  {fault.Path}: {fault.Message}"))}\n{HintOn(faults, isYaml)}`platform jobs schema` prints what one may hold.");
        }
        catch (JsonException error)
        {
            throw new PlatformException($"{file} is not a job spec: {error.Message} `platform jobs schema` prints what one may hold.", error);
        }
        catch (YamlException error)
        {
            throw new PlatformException($"{file} is not YAML: line {error.Start.Line}, column {error.Start.Column}: {error.Message}", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new PlatformException($"{file} cannot be read: {error.Message}", error);
        }
    }

    internal static (JobSpec Spec, IReadOnlyList<SpecFault> Faults) Parse(string text, bool isYaml)
    {
        if (!isYaml)
        {
            return JobSpecReader.Read(JsonNode.Parse(text, null, JobSpecReader.ParseOptions));
        }

        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        return stream.Documents.Count == 1
            ? JobSpecReader.Read(ToJson(stream.Documents[0].RootNode, new HashSet<YamlNode>(ReferenceEqualityComparer.Instance)))
            : throw new JsonException($"the file has {stream.Documents.Count} YAML documents; expected one.");
    }

    private static string HintOn(IReadOnlyList<SpecFault> faults, bool isYaml) =>
        isYaml && faults.Any(fault => fault.Message.EndsWith("expected a string.", StringComparison.Ordinal)) ? "In YAML, numbers, true, false and null are strings only in quotes.\n" : "";

    /// <param name="node">A node.</param>
    /// <param name="above">The nodes that it is part of; an alias may lead back to one of them.</param>
    private static JsonNode? ToJson(YamlNode node, HashSet<YamlNode> above)
    {
        if (!above.Add(node))
        {
            throw new JsonException($"line {node.Start.Line} of the file holds itself, by an alias.");
        }

        JsonNode? json = node switch
        {
            YamlMappingNode mapping => new JsonObject(mapping.Children.Select(pair => KeyValuePair.Create(NameOf(pair.Key), ToJson(pair.Value, above)))),
            YamlSequenceNode sequence => new JsonArray([.. sequence.Children.Select(item => ToJson(item, above))]),
            YamlScalarNode { Style: ScalarStyle.Plain } scalar => Plain(scalar.Value ?? ""),
            YamlScalarNode scalar => JsonValue.Create(scalar.Value),
            _ => throw new JsonException($"line {node.Start.Line} of the file is neither a value, a list nor a mapping."),
        };
        above.Remove(node);
        return json;
    }

    private static string NameOf(YamlNode key) => key is YamlScalarNode scalar
        ? scalar.Value ?? ""
        : throw new JsonException($"line {key.Start.Line} of the file has a name that is no text.");

    /// <summary>A scalar without quotes, by YAML 1.2's core schema.</summary>
    private static JsonValue? Plain(string text) => text switch
    {
        "" or "null" or "~" => null,
        "true" => JsonValue.Create(true),
        "false" => JsonValue.Create(false),
        _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) => JsonValue.Create(whole),
        _ when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) => JsonValue.Create(number),
        _ => JsonValue.Create(text),
    };
}
