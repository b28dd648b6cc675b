using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;

namespace Platform.Jobs.Schemas;

/// <summary>JSON schemas of the contract, made from the types that read and write it.</summary>
public static class JobSchemas
{
    private static readonly JsonSchemaExporterOptions Options = new() { TreatNullObliviousAsNonNullable = true, TransformSchemaNode = Complete };

    /// <summary>Schema (draft 2020-12) of a <see cref="JobSpec"/>, with an id and a title.</summary>
    public static JsonObject JobSpec()
    {
        var schema = Of(JobsJson.Default.JobSpec);
        schema.Insert(0, "$schema", "https://json-schema.org/draft/2020-12/schema");
        schema.Insert(1, "title", "A job of the platform");
        Close(schema);
        return schema;
    }

    /// <summary>Schema of any type of the contract.</summary>
    public static JsonObject Of(JsonTypeInfo type) => type.GetJsonSchemaAsNode(Options).AsObject();

    /// <summary>Says that a spec has no other members, so that editors find a mistyped one as <see cref="JobSpecReader"/> does.</summary>
    private static void Close(JsonObject schema)
    {
        if (schema["properties"] is not JsonObject members)
        {
            return;
        }

        schema["additionalProperties"] = false;
        foreach (var member in members.Select(one => one.Value).OfType<JsonObject>())
        {
            Close(member);
        }
    }

    /// <summary>Adds what the types do not say: the known kinds, and the ranges that the validation checks.</summary>
    private static JsonNode Complete(JsonSchemaExporterContext context, JsonNode schema)
    {
        if (schema is not JsonObject node || context.PropertyInfo is not { } property)
        {
            return schema;
        }

        if (property.DeclaringType == typeof(JobSpec) && property.Name == "kind")
        {
            node["enum"] = new JsonArray([.. JobKinds.All.Select(kind => JsonValue.Create(kind))]);
        }

        if (RangeOf(property.DeclaringType, property.Name) is { } range)
        {
            (node["minimum"], node["maximum"]) = (range.Least, range.Most);
        }

        return node;
    }

    private static (double Least, double Most)? RangeOf(Type type, string name) =>
        type == typeof(JobSpec) ? name switch
        {
            "maxTokens" => (1, 4096),
            "temperature" => (0, 2),
            "maxAttempts" => (1, 100),
            "priority" => (-100, 100),
            "deadlineSeconds" => (1, 604_800),
            "ttlSeconds" => (0, 31_536_000),
            "graceSeconds" => (0, 300),
            _ => null,
        }
        : type == typeof(JobArray) ? name switch { "size" => (1, 10_000), "parallelism" => (1, 1000), _ => null }
        : type == typeof(JobResources) ? name switch { "devices" => (0, 64), "cpu" => (0, 1024), _ => (0, 1L << 50) }
        : type == typeof(JobRetryPolicy) ? name switch { "delaySeconds" => (0, 3600), "maxDelaySeconds" => (0, 86_400), _ => null }
        : null;
}
