using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Platform.Local.Sidecar.Actors;
using Platform.Local.Sidecar.Http;
using Platform.Local.Sidecar.PubSub;
using Platform.Local.Sidecar.Resources;

namespace Platform.Local.Sidecar;

/// <summary><c>/v1.0/metadata</c>: what is loaded, and labels that live as long as the sidecar.</summary>
internal sealed class MetadataApi(EmbeddedSidecar sidecar, SidecarResources resources, SidecarActors actors, ActorTable table, SidecarSubscriptions subscriptions)
{
    /// <summary>The release whose behaviour the embedded sidecar follows.</summary>
    public const string RuntimeVersion = "1.18.3";

    private readonly ConcurrentDictionary<string, string> _extended = new(StringComparer.Ordinal) { ["daprRuntimeVersion"] = RuntimeVersion };

    public async Task<bool> TryHandleAsync(HttpContext context, ApiPath path)
    {
        if (path.Count == 2 && HttpMethods.IsGet(context.Request.Method))
        {
            await context.AnswerJsonAsync(200, Write());
            return true;
        }

        if (path.Count == 3 && HttpMethods.IsPut(context.Request.Method))
        {
            try
            {
                _extended[path.Parameter(2)] = Encoding.UTF8.GetString((await RequestBody.ReadAsync(context, sidecar.Options.MaxBodyBytes)).Span);
            }
            catch (BodyTooLargeException e)
            {
                throw new DaprErrorException(400, "ERR_BODY_READ", "failed to read request body: " + e.Message, e);
            }

            await context.AnswerNothingAsync();
            return true;
        }

        return false;
    }

    private ReadOnlyMemory<byte> Write()
    {
        var body = new ArrayBufferWriter<byte>();
        using var writer = new Utf8JsonWriter(body);
        writer.WriteStartObject();
        writer.WriteString("id"u8, sidecar.AppId);
        writer.WriteString("runtimeVersion"u8, RuntimeVersion);
        writer.WriteStartArray("enabledFeatures"u8);
        foreach (var feature in resources.Configuration.Features)
        {
            writer.WriteStringValue(feature);
        }

        writer.WriteEndArray();
        WriteActors(writer);
        WriteComponents(writer);
        WriteSubscriptions(writer);
        writer.WriteStartObject("extended"u8);
        foreach (var (name, value) in _extended.OrderBy(label => label.Key, StringComparer.Ordinal))
        {
            writer.WriteString(name, value);
        }

        writer.WriteEndObject();
        writer.WriteStartArray("httpEndpoints"u8);
        foreach (var endpoint in resources.Endpoints)
        {
            writer.WriteStartObject();
            writer.WriteString("name"u8, endpoint.Name);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        if (sidecar.Options.AppPort is { } port)
        {
            writer.WriteStartObject("appConnectionProperties"u8);
            writer.WriteNumber("port"u8, port);
            writer.WriteString("protocol"u8, sidecar.Options.AppProtocol);
            writer.WriteString("channelAddress"u8, sidecar.Options.AppChannelAddress);
            if (sidecar.Options.AppMaxConcurrency > 0)
            {
                writer.WriteNumber("maxConcurrency"u8, sidecar.Options.AppMaxConcurrency);
            }

            if (sidecar.Options.EnableAppHealthCheck)
            {
                writer.WriteStartObject("health"u8);
                writer.WriteString("healthCheckPath"u8, sidecar.Options.AppHealthCheckPath);
                writer.WriteString("healthProbeInterval"u8, Period.Format(sidecar.Options.AppHealthProbeInterval));
                writer.WriteString("healthProbeTimeout"u8, Period.Format(sidecar.Options.AppHealthProbeTimeout));
                writer.WriteNumber("healthThreshold"u8, sidecar.Options.AppHealthThreshold);
                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        }

        writer.WriteEndObject();
        writer.Flush();
        return body.WrittenMemory;
    }

    private void WriteActors(Utf8JsonWriter writer)
    {
        var host = actors.Host;
        var counts = host is null ? new Dictionary<string, int>() : table.CountOf(host);
        writer.WriteStartArray("actors"u8);
        WriteCounts(writer, host, counts);
        writer.WriteEndArray();
        writer.WriteStartObject("actorRuntime"u8);
        writer.WriteString("runtimeStatus"u8, sidecar.Options.AppPort is null ? "DISABLED"u8 : host is null && !sidecar.IsReady ? "INITIALIZING"u8 : "RUNNING"u8);
        writer.WriteBoolean("hostReady"u8, host is not null);
        writer.WriteString("placement"u8, "placement: connected"u8);
        writer.WriteStartArray("activeActors"u8);
        WriteCounts(writer, host, counts);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteCounts(Utf8JsonWriter writer, ActorHostApp? host, IReadOnlyDictionary<string, int> counts)
    {
        foreach (var type in host?.Types ?? [])
        {
            writer.WriteStartObject();
            writer.WriteString("type"u8, type);
            writer.WriteNumber("count"u8, counts.GetValueOrDefault(type));
            writer.WriteEndObject();
        }
    }

    private void WriteSubscriptions(Utf8JsonWriter writer)
    {
        writer.WriteStartArray("subscriptions"u8);
        foreach (var subscription in subscriptions.Current)
        {
            writer.WriteStartObject();
            writer.WriteString("pubsubname"u8, subscription.PubSub);
            writer.WriteString("topic"u8, subscription.Topic);
            writer.WriteStartObject("metadata"u8);
            foreach (var (name, value) in subscription.Metadata)
            {
                writer.WriteString(name, value);
            }

            writer.WriteEndObject();
            writer.WriteStartArray("rules"u8);
            foreach (var rule in subscription.Rules)
            {
                writer.WriteStartObject();
                if (rule.Match is { } match)
                {
                    writer.WriteString("match"u8, match.Text);
                }

                writer.WriteString("path"u8, "/" + rule.Path);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            if (subscription.DeadLetterTopic is { } deadLetter)
            {
                writer.WriteString("deadLetterTopic"u8, deadLetter);
            }

            writer.WriteString("type"u8, subscription.IsDeclarative ? "DECLARATIVE"u8 : "PROGRAMMATIC"u8);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private void WriteComponents(Utf8JsonWriter writer)
    {
        writer.WriteStartArray("components"u8);
        foreach (var component in resources.Components.Values)
        {
            writer.WriteStartObject();
            writer.WriteString("name"u8, component.Name);
            writer.WriteString("type"u8, component.Type);
            writer.WriteString("version"u8, component.Version);
            writer.WriteStartArray("capabilities"u8);
            foreach (var capability in CapabilitiesOf(component))
            {
                writer.WriteStringValue(capability);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static string[] CapabilitiesOf(ComponentResource component)
    {
        if (component.Type == ComponentTypes.InMemoryPubSub)
        {
            return ["SUBSCRIBE_WILDCARDS"];
        }

        if (!ComponentTypes.State.Contains(component.Type))
        {
            return [];
        }

        string[] state = ["ETAG", "TRANSACTIONAL", "TTL"];
        return string.Equals(component.Find("actorStateStore"), "true", StringComparison.OrdinalIgnoreCase) ? [.. state, "ACTOR"] : state;
    }
}
