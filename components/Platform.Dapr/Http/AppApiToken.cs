using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Platform.Dapr.Http;

/// <summary>Lets only the own sidecar in: the token it was started with must be in the request.</summary>
internal static class AppApiToken
{
    public static RequestDelegate Require(string token, RequestDelegate next)
    {
        var expected = Encoding.UTF8.GetBytes(token);
        return context =>
        {
            var shown = Encoding.UTF8.GetBytes(context.Request.Headers[DaprHeaders.ApiToken].ToString());
            if (CryptographicOperations.FixedTimeEquals(shown, expected))
            {
                return next(context);
            }

            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            return Task.CompletedTask;
        };
    }
}
