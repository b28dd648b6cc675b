using System.Buffers;
using System.Text.Json;
using Microsoft.AspNetCore.Routing;

namespace Platform.Dapr.Subscriptions;

/// <summary>The answer of <c>/dapr/subscribe</c>, made of the endpoints that carry <see cref="ITopicMetadata"/>.</summary>
internal static class SubscriptionDocument
{
    /// <exception cref="InvalidOperationException">Two endpoints claim the same route of a topic, or an endpoint with a topic has parameters in its route.</exception>
    public static byte[] Write(IEnumerable<RouteEndpoint> endpoints)
    {
        var topics = endpoints
            .SelectMany(endpoint => endpoint.Metadata.GetOrderedMetadata<ITopicMetadata>().Select(topic => new Route(topic, PathOf(endpoint), endpoint.Metadata.GetMetadata<IBulkSubscribeMetadata>())))
            .GroupBy(route => (route.Topic.PubsubName, route.Topic.Name));
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartArray();
            foreach (var topic in topics)
            {
                Write(writer, topic.Key.PubsubName, topic.Key.Name, [.. topic]);
            }

            writer.WriteEndArray();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static string PathOf(RouteEndpoint endpoint) => endpoint.RoutePattern.Parameters.Count == 0
        ? "/" + endpoint.RoutePattern.RawText?.TrimStart('/')
        : throw new InvalidOperationException($"Endpoint '{endpoint.RoutePattern.RawText}' takes a topic, but its route has parameters; the sidecar can only call a fixed path.");

    private static void Write(Utf8JsonWriter writer, string pubsub, string name, List<Route> routes)
    {
        var defaults = routes.FindAll(route => string.IsNullOrEmpty(route.Topic.Match));
        if (defaults.Count > 1)
        {
            throw new InvalidOperationException($"Topic '{name}' of '{pubsub}' has two default endpoints, '{defaults[0].Path}' and '{defaults[1].Path}'; give one of them a rule (Match).");
        }

        writer.WriteStartObject();
        writer.WriteString("pubsubname"u8, pubsub);
        writer.WriteString("topic"u8, name);
        writer.WriteStartObject("routes"u8);
        writer.WriteStartArray("rules"u8);
        foreach (var route in routes.Where(route => !string.IsNullOrEmpty(route.Topic.Match)).OrderBy(route => route.Topic.Priority))
        {
            writer.WriteStartObject();
            writer.WriteString("match"u8, route.Topic.Match);
            writer.WriteString("path"u8, route.Path);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        if (defaults is [var fallback])
        {
            writer.WriteString("default"u8, fallback.Path);
        }

        writer.WriteEndObject();
        if (routes.Select(route => route.Topic.DeadLetterTopic).FirstOrDefault(topic => !string.IsNullOrEmpty(topic)) is { } deadLetterTopic)
        {
            writer.WriteString("deadLetterTopic"u8, deadLetterTopic);
        }

        if (routes.Exists(route => route.Topic.IsRawPayload))
        {
            writer.WriteStartObject("metadata"u8);
            writer.WriteString("rawPayload"u8, "true"u8);
            writer.WriteEndObject();
        }

        if (routes.Select(route => route.Bulk).FirstOrDefault(bulk => bulk is not null) is { } bulk)
        {
            writer.WriteStartObject("bulkSubscribe"u8);
            writer.WriteBoolean("enabled"u8, true);
            writer.WriteNumber("maxMessagesCount"u8, bulk.MaxMessagesCount);
            writer.WriteNumber("maxAwaitDurationMs"u8, bulk.MaxAwaitDurationMs);
            writer.WriteEndObject();
        }

        writer.WriteEndObject();
    }

    private sealed record Route(ITopicMetadata Topic, string Path, IBulkSubscribeMetadata? Bulk);
}
