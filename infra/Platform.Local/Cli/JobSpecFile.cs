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
            var (spec, faults) = Parse(text, isYaml: file.Extension is ".yaml" or ".yml");
            return faults.Count == 0 ? spec : throw new PlatformException($"{file} is not a job spec:\n{string.Join('\n', faults.Select(fault => $"  {fault.Path}: {fault.Message}"))}\n`platform jobs schema` prints what one may hold.");
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
            ? JobSpecReader.Read(ToJson(stream.Documents[0].RootNode))
            : throw new JsonException($"the file has {stream.Documents.Count} YAML documents; expected one.");
    }

    private static JsonNode? ToJson(YamlNode node) => node switch
    {
        YamlMappingNode mapping => new JsonObject(mapping.Children.Select(pair => KeyValuePair.Create(((YamlScalarNode)pair.Key).Value ?? "", ToJson(pair.Value)))),
        YamlSequenceNode sequence => new JsonArray([.. sequence.Children.Select(ToJson)]),
        YamlScalarNode { Style: ScalarStyle.Plain } scalar => Plain(scalar.Value ?? ""),
        YamlScalarNode scalar => JsonValue.Create(scalar.Value),
        _ => throw new JsonException($"line {node.Start.Line} of the file is neither a value, a list nor a mapping."),
    };

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
