using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Platform.Jobs.Schemas;

/// <summary>Reads a job spec from JSON and names all of its faults at once: members that do not exist, values of another type, and what <see cref="JobSpecValidation"/> finds in the rest.</summary>
public static class JobSpecReader
{
    private const int MaxDepth = 16;
    private static readonly TimeSpan PatternTimeout = TimeSpan.FromSeconds(1);
    private static readonly JsonObject Schema = JobSchemas.JobSpec();

    /// <summary>How the JSON of a spec is parsed: a member that is there twice is an error.</summary>
    public static JsonDocumentOptions ParseOptions { get; } = new() { MaxDepth = MaxDepth, AllowDuplicateProperties = false };

    /// <summary>Reads a spec.</summary>
    /// <returns>The spec, which counts only if there are no faults.</returns>
    /// <exception cref="JsonException">It is no JSON object, or a number is beyond what its member holds.</exception>
    public static (JobSpec Spec, IReadOnlyList<SpecFault> Faults) Read(JsonNode? json)
    {
        if (json is not JsonObject)
        {
            throw new JsonException($"found {NameOf(json)}; expected an object.");
        }

        // What is at fault is taken out of the copy, so that the rest can be read and checked too.
        var (copy, faults) = (json.DeepClone().AsObject(), new List<SpecFault>());
        CheckObject(copy, Schema, "$", faults);
        var spec = copy.Deserialize(JobsJson.Default.JobSpec)!;
        faults.AddRange(JobSpecValidation.Validate(spec).Where(fault => !faults.Exists(known => known.Path == fault.Path)));
        return (spec, faults);
    }

    private static void CheckObject(JsonObject json, JsonObject schema, string path, List<SpecFault> faults)
    {
        var known = schema["properties"]?.AsObject();
        foreach (var (name, value) in json.ToArray())
        {
            var member = known is null ? schema["additionalProperties"] as JsonObject : known.FirstOrDefault(one => one.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Value?.AsObject();
            var memberPath = known is null && !name.All(char.IsLetterOrDigit) ? $"{path}['{name}']" : $"{path}.{name}";
            if (member is null)
            {
                faults.Add(new SpecFault(memberPath, $"there is no such member; {Suggest(name, [.. known!.Select(one => one.Key)])}"));
                json.Remove(name);
            }
            else if (!CheckValue(value, member, memberPath, faults))
            {
                json.Remove(name);
            }
        }

        foreach (var name in schema["required"]?.AsArray().Select(one => (string)one!) ?? [])
        {
            if (!json.Any(one => one.Key.Equals(name, StringComparison.OrdinalIgnoreCase)))
            {
                if (!faults.Exists(fault => fault.Path == $"{path}.{name}"))
                {
                    faults.Add(new SpecFault($"{path}.{name}", $"is missing; expected {Expected(schema["properties"]![name]!.AsObject())}."));
                }

                json[name] = Neutral(schema["properties"]![name]!.AsObject());
            }
        }
    }

    /// <summary>False if the value is of another type than the schema says; what is inside of it is mended in place.</summary>
    private static bool CheckValue(JsonNode? value, JsonObject schema, string path, List<SpecFault> faults)
    {
        if (!IsOfType(value, schema))
        {
            faults.Add(new SpecFault(path, $"found {NameOf(value)}; expected {Expected(schema)}."));
            return false;
        }

        if (value is JsonObject inner)
        {
            CheckObject(inner, schema, path, faults);
        }
        else if (value is JsonArray list && schema["items"] is JsonObject items)
        {
            for (var i = 0; i < list.Count; i++)
            {
                if (!CheckValue(list[i], items, $"{path}[{i}]", faults))
                {
                    list[i] = Neutral(items);
                }
            }
        }

        return true;
    }

    private static bool IsOfType(JsonNode? value, JsonObject schema)
    {
        var types = TypesOf(schema);
        return (value?.GetValueKind() ?? JsonValueKind.Null) switch
        {
            JsonValueKind.Null => types.Contains("null"),
            JsonValueKind.Object => types.Contains("object"),
            JsonValueKind.Array => types.Contains("array"),
            JsonValueKind.True or JsonValueKind.False => types.Contains("boolean"),
            JsonValueKind.Number => types.Contains("number") || (types.Contains("integer") && long.TryParse(value!.ToJsonString(), out _)),
            JsonValueKind.String => types.Contains("string") && (schema["pattern"] is not { } pattern || Regex.IsMatch((string)value!, (string)pattern!, RegexOptions.CultureInvariant, PatternTimeout)),
            _ => false,
        };
    }

    /// <summary>A value of the type, in the place of one that is at fault.</summary>
    private static JsonValue Neutral(JsonObject schema) => TypesOf(schema).Any(type => type is "integer" or "number") ? JsonValue.Create(1) : JsonValue.Create("");

    private static string[] TypesOf(JsonObject schema) => schema["type"] switch
    {
        JsonArray several => [.. several.Select(type => (string)type!)],
        { } one => [(string)one!],
        null => [],
    };

    private static string Expected(JsonObject schema) => schema["enum"] is JsonArray names
        ? "one of " + string.Join(", ", names.Select(name => (string)name!))
        : string.Join(" or ", TypesOf(schema).Where(type => type != "null" && (type != "string" || schema["pattern"] is null)).Select(type => type switch
        {
            "array" => "a list" + (schema["items"] is JsonObject items ? " of " + string.Join(" or ", TypesOf(items).Where(item => item != "null")) + "s" : ""),
            "object" => "an object",
            "integer" => "a whole number",
            "boolean" => "true or false",
            _ => "a " + type,
        }));

    private static string NameOf(JsonNode? value)
    {
        var text = value?.ToJsonString() ?? "null";
        return value?.GetValueKind() switch
        {
            JsonValueKind.Object => "an object",
            JsonValueKind.Array => "a list",
            _ => text.Length > 40 ? text[..40] + "..." : text,
        };
    }

    private static string Suggest(string name, string[] known) => known.MinBy(other => Distance(name, other)) is { } nearest && Distance(name, nearest) <= 2
        ? $"did you mean '{nearest}'?"
        : $"known: {string.Join(", ", known)}.";

    /// <summary>Letters to change, add or leave out to make one of the other (Levenshtein), whatever their case.</summary>
    private static int Distance(string one, string other)
    {
        var row = Enumerable.Range(0, other.Length + 1).ToArray();
        for (var i = 1; i <= one.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= other.Length; j++)
            {
                var changed = diagonal + (char.ToLowerInvariant(one[i - 1]) == char.ToLowerInvariant(other[j - 1]) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(changed, 1 + Math.Min(row[j], row[j - 1]));
            }
        }

        return row[^1];
    }
}
