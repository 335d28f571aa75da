"""Groups of arrays and their attributes: made, opened, looked through, deleted."""

import warnings
from collections.abc import Mapping
from typing import Any

import zarr
from zarr.errors import ZarrUserWarning

from pipeline.errors import AwayError, StoreError, first_line
from pipeline.store.arrays.places import connect
from pipeline.store.schema import FORMAT_VERSION
from pipeline.store.writing import writing

Array = zarr.Array[Any]
Group = zarr.Group
BLENDS, REJECTS, CHECKS = "blend", "rejected", "checks"  # groups inside a store


def create(location: str, attributes: Mapping[str, Any]) -> Group:
    """Make an empty group, or empty the one that is there, and return it open for writing."""
    with writing(location):
        return zarr.create_group(connect(location), attributes=dict(attributes), zarr_format=3, overwrite=True)


def open_group(location: str, mode: str = "r") -> Group:
    """Open an existing group.

    Raises
    ------
    StoreError
        Nothing is there, it is no group of ours, or it has another format version.
    """
    place = connect(location)
    try:
        # our own attributes change between stages: never through the consolidated copy, which serves other readers
        group = zarr.open_group(place, mode=mode, zarr_format=3, use_consolidated=False)  # type: ignore[arg-type]
    except (FileNotFoundError, zarr.errors.GroupNotFoundError):
        raise StoreError(f"There is no store at {location}; forgery-prep run makes one.") from None
    except AwayError:
        raise
    except (ValueError, KeyError, OSError) as error:
        raise StoreError(f"The store {location} cannot be opened: {first_line(error)}.") from error
    version = group.attrs.get("format_version")
    if version != FORMAT_VERSION:
        raise StoreError(f"{location} has format version {version}; this program reads version {FORMAT_VERSION}.")
    return group


def array_of(group: Group, path: str) -> Array:
    """Return one array of a group, or of a group inside it.

    Raises
    ------
    StoreError
        It is not there.
    """
    found = group.get(path)
    if not isinstance(found, zarr.Array):
        raise StoreError(f"{group.store_path} has no array {path}; forgery-prep labels adds label kinds.")
    return found


def group_of(group: Group, name: str) -> Group:
    """Return a group inside another."""
    found = group[name]
    assert isinstance(found, zarr.Group)
    return found


def attributes_of(item: Group | Array) -> dict[str, Any]:
    """Return the attributes of a group or an array as plain values."""
    return dict(item.attrs.asdict())


def meanings(group: Group, name: str) -> list[str]:
    """Return what the numbers of a column mean."""
    return list(attributes_of(array_of(group, name))["flag_meanings"])


def every_array(group: Group) -> list[tuple[str, Array]]:
    """Return all arrays of a group and its groups but `checks`, with their paths, in the order of their names."""
    groups = [(name, members) for name, members in group.groups() if name != CHECKS]
    inside = [(f"{name}/{inner}", array) for name, members in groups for inner, array in members.arrays()]
    return sorted([*group.arrays(), *inside])


def subgroup(group: Group, name: str, **attributes: Any) -> Group:
    """Make an empty group inside another, replacing one of the same name."""
    with writing(str(group.store_path)):
        return group.create_group(name, overwrite=True, attributes=attributes)


def delete_group(group: Group, name: str) -> None:
    """Delete a group inside another, if it is there."""
    with writing(str(group.store_path)):
        if name in group:
            del group[name]


def consolidate(location: str, **attributes: Any) -> None:
    """Write the copy of all metadata that lets xarray open the store without asking for each array.

    Attributes of the root are set afterwards: they say that the copy is there.
    """
    with writing(location), warnings.catch_warnings():
        warnings.simplefilter("ignore", ZarrUserWarning)  # consolidated metadata is not in the v3 specification yet
        zarr.consolidate_metadata(connect(location), zarr_format=3).attrs.update(attributes)
