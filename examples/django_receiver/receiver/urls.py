"""Two addresses: one for the pipeline, one for people."""

from django.urls import path

from receiver.views import hook, show

urlpatterns = [path("hook", hook), path("", show)]
