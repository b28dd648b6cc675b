using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Platform.Dapr.Actors;

/// <summary>How arguments, results and state of actors are read and written.</summary>
internal static class ActorJson
{
    /// <summary>A context's options, with the plain types as a fallback.</summary>
    public static JsonSerializerOptions Of(JsonSerializerContext? context)
    {
        var json = context is null ? new JsonSerializerOptions(JsonSerializerDefaults.Web) : new JsonSerializerOptions(context.Options);
        json.TypeInfoResolver = JsonTypeInfoResolver.Combine(context, DaprJson.Default);
        json.MakeReadOnly();
        return json;
    }
}
