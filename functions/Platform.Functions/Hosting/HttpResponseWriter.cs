using System.Text.Json;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Abstractions;

namespace Platform.Functions.Hosting;

/// <summary>Writes what an HTTP function returned.</summary>
internal static class HttpResponseWriter
{
    /// <summary>Null is 204, a string is text, an <see cref="IResult"/> or <see cref="IActionResult"/> writes itself, anything else is JSON.</summary>
    public static Task WriteAsync(HttpContext context, object? value, JsonSerializerOptions json)
    {
        switch (value)
        {
            case null when !context.Response.HasStarted:
                context.Response.StatusCode = StatusCodes.Status204NoContent;
                return Task.CompletedTask;
            case null:
                return Task.CompletedTask;
            case HttpResponseData response:
                return response.WriteToAsync(context);
            case IResult result:
                return result.ExecuteAsync(context);
            case IActionResult result:
                return result.ExecuteResultAsync(new ActionContext(context, context.GetRouteData(), new ActionDescriptor()));
            case string text:
                context.Response.ContentType = "text/plain; charset=utf-8";
                return context.Response.WriteAsync(text, context.RequestAborted);
            default:
                return context.Response.WriteAsJsonAsync(value, value.GetType(), json, context.RequestAborted);
        }
    }
}
