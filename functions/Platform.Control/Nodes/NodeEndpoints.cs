using System.Text.Json;
using Platform.Jobs;

namespace Platform.Control.Nodes;

/// <summary>Routes of the node table: workers write, routers read, both through Dapr invocation.</summary>
internal static class NodeEndpoints
{
    public static void MapNodes(this IEndpointRouteBuilder routes)
    {
        routes.MapPost(Routes.ControlHeartbeat, TakeHeartbeatAsync);
        routes.MapGet(Routes.ControlNodes, (NodeRegistry nodes) => Results.Json(nodes.Table(), JobsJson.Default.NodeTable));
    }

    private static async Task<IResult> TakeHeartbeatAsync(HttpContext context, NodeRegistry nodes)
    {
        NodeHeartbeat? heartbeat;
        try
        {
            heartbeat = await JsonSerializer.DeserializeAsync(context.Request.Body, JobsJson.Default.NodeHeartbeat, context.RequestAborted);
        }
        catch (JsonException fault)
        {
            return Refuse(fault.Message);
        }

        if (heartbeat is null || string.IsNullOrEmpty(heartbeat.Worker))
        {
            return Refuse("the worker's name is missing");
        }

        nodes.Hear(heartbeat);
        return Results.NoContent();
    }

    private static IResult Refuse(string why) => Results.Json(
        Problem.Of(400, ErrorCodes.InvalidJson, $"The body is not a node heartbeat: {why}."),
        JobsJson.Default.Problem,
        Problem.ContentType,
        400);
}
